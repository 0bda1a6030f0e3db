/** Replacing a storage whose disk is lost: `storage replace`. */
import { InterruptedError } from "../../errors.ts";
import type { Connection } from "../connect.ts";
import { type AdminInbox, ask, change } from "./inbox.ts";

/** What replacing a storage's lost root does to its receipts. */
export interface Voided {
  readonly receipts: number;
  /** Media that are still in the inbox and owed to it again. */
  readonly owed: number;
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
 * @param progress is given how many are void
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

/** A release that is under way, or has an older snapshot, must not go by receipts that go now. */
async function makeReleasesFail(connection: Connection): Promise<void> {
  await ask(connection, "UPDATE omoide.waiting SET generation = generation");
}
