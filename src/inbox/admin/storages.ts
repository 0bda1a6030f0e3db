import { ConfigurationError } from "../../errors.ts";
import { type AdminInbox, ask, transaction } from "./inbox.ts";

/** A storage as the inbox has it registered. */
export interface RegisteredStorage {
  readonly id: number;
  readonly name: string;
  readonly role: string;
  readonly uuid: string;
  readonly prefixSize: number;
  readonly requiredSince: Date;
  readonly retiredAt: Date | null;
  readonly distrustedAt: Date | null;
  readonly distrustedReason: string | null;
}

const COLUMNS = `s.id, s.name, s.role, s.identity AS uuid, s.prefix_size AS "prefixSize",
  s.required_since AS "requiredSince", s.retired_at AS "retiredAt",
  s.distrusted_at AS "distrustedAt", s.distrusted_reason AS "distrustedReason"`;

export async function listStorages({ connection }: AdminInbox): Promise<RegisteredStorage[]> {
  return await ask(connection, `SELECT ${COLUMNS} FROM omoide.storage s ORDER BY s.id`);
}

/** @throws {ConfigurationError} there is none of that name */
export async function findStorage(inbox: AdminInbox, name: string): Promise<RegisteredStorage> {
  const all = await listStorages(inbox);
  const found = all.find((storage) => storage.name === name);
  if (found !== undefined) return found;
  const known = all.map((storage) => storage.name).join(", ") || "none";
  throw new ConfigurationError(`The inbox has no storage ${JSON.stringify(name)}; it has ${known}`);
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

/** What retiring a storage does, or would do. */
export interface Retirement {
  /** Deliveries that are dropped, and their bytes: these media will never come to this storage. */
  readonly dropped: number;
  readonly droppedBytes: number;
  /** Blobs that may leave the inbox because this storage no longer has to hold them. */
  readonly releases: number;
  readonly releasesBytes: number;
  /** Storages that remain required. */
  readonly remaining: number;
}

/**
 * Makes a storage no longer required. Its receipts stay as history, but no longer count.
 *
 * @param dry undo it after finding out what it would do
 * @throws {ConfigurationError} fewer storages than min_copies would remain, or it is retired already
 */
export async function retireStorage(
  inbox: AdminInbox,
  name: string,
  dry: boolean,
): Promise<Retirement> {
  const { connection, minCopies } = inbox;
  return await transaction(inbox, async () => {
    // Two retirements at once must not leave fewer than each would by itself. Readers don't wait.
    await ask(connection, "LOCK TABLE omoide.storage IN SHARE ROW EXCLUSIVE MODE");
    const storage = await findStorage(inbox, name);
    if (storage.retiredAt !== null) {
      throw new ConfigurationError(
        `${name} was retired already, ${storage.retiredAt.toISOString()}`,
      );
    }
    const before = await releasable(inbox);
    await ask(connection, "UPDATE omoide.storage SET retired_at = now() WHERE id = $1", [
      storage.id,
    ]);
    const rows = await ask<{ id: number }>(
      connection,
      "SELECT id FROM omoide.storage WHERE retired_at IS NULL",
    );
    if (rows.length < minCopies) {
      throw new ConfigurationError(
        `Cannot retire ${name}: ${rows.length} of at least ${minCopies} required storages would ` +
          "remain, and nothing could leave the inbox; register another with `storage init` first",
      );
    }
    const [dropped] = await ask<{ n: number; bytes: number }>(
      connection,
      `WITH gone AS (DELETE FROM omoide.delivery WHERE storage_id = $1 RETURNING media_id)
      SELECT count(*)::float8 AS n, coalesce(sum(m.size), 0)::float8 AS bytes
      FROM gone JOIN omoide.media m ON m.id = gone.media_id`,
      [storage.id],
    );
    const after = await releasable(inbox);
    return {
      dropped: dropped?.n ?? 0,
      droppedBytes: dropped?.bytes ?? 0,
      releases: after.n - before.n,
      releasesBytes: after.bytes - before.bytes,
      remaining: rows.length,
    };
  }, dry);
}

async function releasable({ connection }: AdminInbox): Promise<{ n: number; bytes: number }> {
  const [row] = await ask<{ n: number; bytes: number }>(
    connection,
    `SELECT count(*)::float8 AS n, coalesce(sum(m.size), 0)::float8 AS bytes
    FROM omoide.releasable r JOIN omoide.media m ON m.id = r.media_id`,
  );
  return row ?? { n: 0, bytes: 0 };
}
