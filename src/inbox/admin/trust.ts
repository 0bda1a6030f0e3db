import { InterruptedError } from "../../errors.ts";
import type { Connection } from "../connect.ts";
import { type AdminInbox, ask, change, transaction } from "./inbox.ts";
import type { RegisteredStorage } from "./storages.ts";

/** Believes a storage again. Its worker may take it, and its receipts count. */
export async function clearDistrust(
  inbox: AdminInbox,
  storage: RegisteredStorage,
): Promise<void> {
  const { connection } = inbox;
  await transaction(inbox, async () => {
    await ask(
      connection,
      "UPDATE omoide.storage SET distrusted_at = NULL, distrusted_reason = NULL WHERE id = $1",
      [storage.id],
    );
    await ask(
      connection,
      "UPDATE omoide.worker SET state = 'stopped', reason = NULL " +
        "WHERE storage_id = $1 AND state = 'distrusted'",
      [storage.id],
    );
  });
}

/**
 * Takes back receipts of media that are still in the inbox, and owes them to the storage again.
 *
 * @returns their ids: what has left the inbox, even a moment ago, is not touched and not among them
 */
export async function redeliver(
  { connection }: AdminInbox,
  storageId: number,
  mediaIds: readonly string[],
): Promise<string[]> {
  const rows = await ask<{ media_id: string }>(
    connection,
    `WITH held AS (
      -- Writing the row, not only locking it, makes a release with an older snapshot fail.
      UPDATE omoide.waiting w SET generation = w.generation
      WHERE w.media_id = ANY ($2::bigint[]) RETURNING w.media_id
    ), void AS (
      DELETE FROM omoide.stored r USING held h WHERE r.storage_id = $1 AND r.media_id = h.media_id
    )
    SELECT omoide.owe_again($1, ARRAY(SELECT h.media_id FROM held h)) AS media_id`,
    [storageId, mediaIds],
  );
  return rows.map(({ media_id }) => media_id);
}

/**
 * Takes a storage's lock of the database, which its workers share, alone: for as long as the connection lives,
 * so that no worker can take any of its lanes.
 *
 * @returns false if a worker has it
 */
export async function holdInInbox({ connection }: AdminInbox, storageId: number): Promise<boolean> {
  const [row] = await ask<{ taken: boolean }>(
    connection,
    "SELECT pg_try_advisory_lock(omoide.storage_lock_class(), $1) AS taken",
    [storageId],
  );
  return row?.taken === true;
}

/**
 * The first step of replacing a storage's lost root: it is distrusted, so that nothing more is released by what it
 * held. It stays so until `replaceIdentity`, whatever happens between. In the caller's transaction.
 */
export async function beginReplacing(
  { connection }: AdminInbox,
  storageId: number,
): Promise<void> {
  await ask(
    connection,
    "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = $2 WHERE id = $1",
    [storageId, "its root is being replaced; if that was interrupted, run `storage replace` again"],
  );
  await makeReleasesFail(connection);
}

/** Ids whose receipts one statement voids: under a second, and no lock, snapshot or temporary file outlives it. */
const VOIDED_IDS = 65_536n;

/**
 * Voids the receipts of a storage that is being replaced, a range of ids after the other, each a transaction. All in
 * one would keep every one of them in a temporary file for the counters' trigger, and an interruption would lose all
 * that was done.
 *
 * @param progress is told how many are void
 * @throws {InterruptedError} the rest is left to the next run
 */
export async function voidReceipts(
  inbox: AdminInbox,
  storageId: number,
  signal: AbortSignal,
  progress: (receipts: number) => void,
): Promise<number> {
  let receipts = 0;
  for (let from = await nextReceipt(inbox, storageId, 0n); from !== null;) {
    if (signal.aborted) throw new InterruptedError("stopped before the end; run it again");
    const to: bigint = from + VOIDED_IDS;
    receipts += await change(
      inbox.connection,
      "DELETE FROM omoide.stored WHERE storage_id = $1 AND media_id >= $2 AND media_id < $3",
      [storageId, from, to],
    );
    progress(receipts);
    from = await nextReceipt(inbox, storageId, to);
  }
  return receipts;
}

/** The lowest id from this one on of which the storage has a receipt; ids of rebuilt media have wide gaps. */
async function nextReceipt(
  { connection }: AdminInbox,
  storageId: number,
  from: bigint,
): Promise<bigint | null> {
  const [row] = await ask<{ id: string | null }>(
    connection,
    "SELECT min(media_id) AS id FROM omoide.stored WHERE storage_id = $1 AND media_id >= $2",
    [storageId, from],
  );
  const id = row?.id ?? null;
  return id === null ? null : BigInt(id);
}

/** What replacing a storage would void and owe, for a dry run. */
export async function countReplaced(
  { connection }: AdminInbox,
  storageId: number,
): Promise<Voided> {
  const [row] = await ask<Voided>(
    connection,
    "SELECT (SELECT count(*) FROM omoide.stored WHERE storage_id = $1)::float8 AS receipts, " +
      "media::float8 AS owed FROM omoide.inbox_status",
    [storageId],
  );
  return row ?? { receipts: 0, owed: 0 };
}

/** A release that is under way, or has an older snapshot, must not go by receipts that go now. */
async function makeReleasesFail(connection: Connection): Promise<void> {
  await ask(connection, "UPDATE omoide.waiting SET generation = generation");
}

/** What replacing a storage's lost root does to its receipts. */
export interface Voided {
  readonly receipts: number;
  /** Media that are still in the inbox and owed to it again. */
  readonly owed: number;
}

/**
 * Gives a storage a new root's identity, and trusts it again: what it held is gone, so its receipts are void. For
 * all but a few of them `voidReceipts` has done that; one that was under way then is waited for here.
 */
export async function replaceIdentity(
  { connection }: AdminInbox,
  storageId: number,
  identity: string,
): Promise<Voided> {
  await ask(
    connection,
    "UPDATE omoide.storage SET identity = $2, distrusted_at = NULL, distrusted_reason = NULL " +
      "WHERE id = $1",
    [storageId, identity],
  );
  await makeReleasesFail(connection);
  const receipts = await change(connection, "DELETE FROM omoide.stored WHERE storage_id = $1", [
    storageId,
  ]);
  const owed = await change(
    connection,
    "SELECT omoide.owe_again($1, ARRAY(SELECT w.media_id FROM omoide.waiting w))",
    [storageId],
  );
  await ask(
    connection,
    "UPDATE omoide.worker SET state = 'stopped', reason = NULL WHERE storage_id = $1",
    [storageId],
  );
  return { receipts, owed };
}

/** Which of these objects' media a storage is owed, or holds a receipt for, and where the file should be. */
export interface Claim {
  readonly mediaId: string;
  readonly owed: boolean;
  /** The receipt's path; null if there is none. */
  readonly path: string | null;
}

/** Media of other bytes than the object's are left out: ids come again when a database is restored. */
export async function claimsOn(
  { connection }: AdminInbox,
  storageId: number,
  objects: readonly { readonly mediaId: string; readonly sha256: string }[],
): Promise<Claim[]> {
  return await ask<Claim>(
    connection,
    `SELECT m.id AS "mediaId",
      EXISTS (SELECT FROM omoide.delivery d WHERE d.storage_id = $1 AND d.media_id = m.id) AS owed,
      CASE WHEN r.media_id IS NULL THEN NULL ELSE coalesce(r.path, omoide.public_path(
        m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, m.has_plain_name, s.prefix_size)) END AS path
    FROM unnest($2::bigint[], $3::text[]) AS o(id, hex)
    JOIN omoide.media m ON m.id = o.id AND m.sha256 = decode(o.hex, 'hex')
    JOIN omoide.storage s ON s.id = $1
    LEFT JOIN omoide.stored r ON r.storage_id = $1 AND r.media_id = m.id`,
    [storageId, objects.map((object) => object.mediaId), objects.map((object) => object.sha256)],
  );
}
