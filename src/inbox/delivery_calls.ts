/** What a worker asks and says of the media that are owed to its storage. */
import type { Media, MediaType } from "../media.ts";
import type { Stored } from "../stored.ts";
import type { InboxSession } from "./session.ts";

/** A media owed to this storage. */
export interface Delivery {
  readonly media: Media;
  /** How often storing it has been tried and has failed. */
  readonly attempts: number;
}

/** The next media due in this session's lanes with an id above `after`, by id. */
export async function pending(
  session: InboxSession,
  after: bigint,
  limit: number,
): Promise<Delivery[]> {
  const rows = await session.query<PendingRow>(
    session.control,
    "SELECT media_id, owner_uuid, item_uuid, media_type, ext, public_name, size, " +
      "encode(sha256, 'hex') AS sha256, attempts, generation FROM omoide.pending($1, $2, $3, $4)",
    [after, limit, session.lanes.count, session.lanes.mine],
  );
  for (const row of rows) session.places.note(BigInt(row.media_id), row.generation);
  return rows.map((row) => ({
    attempts: row.attempts,
    media: {
      id: BigInt(row.media_id),
      ownerUuid: row.owner_uuid,
      itemUuid: row.item_uuid,
      // Whatever it is, `unfitName` looks at it before it becomes a path.
      mediaType: row.media_type as MediaType,
      ext: row.ext,
      publicName: row.public_name,
      size: Number(row.size),
      sha256: row.sha256,
    },
  }));
}

interface PendingRow extends Record<string, unknown> {
  media_id: string;
  owner_uuid: string;
  item_uuid: string;
  media_type: string;
  ext: string;
  public_name: string;
  size: string;
  sha256: string;
  attempts: number;
  generation: number;
}

/**
 * Counts an attempt before it is made, so that a media that kills the process gets parked too.
 * Returns false if its attempts are used up, or it is owed no longer.
 */
export async function startAttempt(session: InboxSession, id: bigint): Promise<boolean> {
  const rows = await session.query(session.control, "SELECT omoide.start_attempt($1, $2)", [
    [id],
    session.life,
  ]);
  return rows.length > 0;
}

/** Takes back an attempt that `startAttempt` counted: it ended for a reason that lies in the storage. */
export async function cancelAttempt(session: InboxSession, id: bigint): Promise<void> {
  await session.query(session.control, "SELECT omoide.cancel_attempt($1, $2)", [
    [id],
    session.life,
  ]);
}

/** A media whose receipt the inbox refused: its id means another media there now, or none. */
export interface Unacknowledged {
  readonly mediaId: bigint;
  readonly result: "unknown" | "mismatch";
}

/**
 * Turns deliveries into receipts of the root that the session took its storage with: one statement,
 * committed when this returns. May be repeated freely. Returns those that the inbox refused.
 *
 * @throws {ConfigurationError} the storage has another root by now
 */
export async function acknowledge(
  session: InboxSession,
  stored: readonly Stored[],
): Promise<Unacknowledged[]> {
  const rows = await session.query<{ media_id: string; result: string }>(
    session.acknowledging,
    "SELECT media_id, result FROM omoide.acknowledge($1, $2, $3, $4, $5, $6)",
    [
      session.identity,
      stored.map(({ media }) => media.id),
      stored.map(({ media }) => `\\x${media.sha256}`),
      stored.map(({ media }) => media.size),
      stored.map(({ outcome }) => outcome),
      stored.map(({ path }) => path),
    ],
  );
  return rows.flatMap(({ media_id, result }) =>
    result === "unknown" || result === "mismatch"
      ? [{ mediaId: BigInt(media_id), result: result as Unacknowledged["result"] }]
      : []
  );
}

/** Moving what little is left of a generation reads and writes 64 MiB; on a slow disk many seconds. */
const RECYCLE_TIMEOUT_MS = 600_000;

/** Files grow by what comes meanwhile, at 200 MB/s by 200 MB; asking costs the database a millisecond. */
const RECYCLE_EVERY_MS = 1_000;

/**
 * Lets the blobs of these media leave the inbox where every required storage holds them. A statement of
 * its own: acknowledging sees the receipts of one moment, and another storage's may come at the next.
 * Their bytes go with their generation, at once where these were the last of it.
 */
export async function release(session: InboxSession, ids: readonly bigint[]): Promise<void> {
  await session.query(session.releasing, "SELECT omoide.release($1)", [ids]);
  if (performance.now() < session.recycleDueAt) return;
  session.recycleDueAt = performance.now() + RECYCLE_EVERY_MS;
  await recycle(session, false);
}

/** Empties generations that nobody waits for; see `recycle.sql`. */
async function recycle(session: InboxSession, thorough: boolean): Promise<void> {
  await session.query(
    session.releasing,
    "SELECT FROM omoide.recycle($1)",
    [thorough],
    RECYCLE_TIMEOUT_MS,
  );
}

/** @param final the inbox's own bytes are bad: park at once, waiting can't fix that */
export async function reportFailure(
  session: InboxSession,
  id: bigint,
  error: string,
  final: boolean,
): Promise<{ readonly attempts: number; readonly parked: boolean } | null> {
  const rows = await session.query<{ attempts: number; parked: boolean }>(
    session.control,
    "SELECT attempts, parked FROM omoide.report_failure($1, $2, $3)",
    [id, error, final],
  );
  return rows[0] ?? null;
}

/**
 * The inbox's housekeeping, if the session has lane 0: releases, missing deliveries, limits, old snapshots, and
 * the generations, in a transaction of their own that has nothing else locked.
 *
 * @returns milliseconds until a media of its lanes that failed earlier is due again; null if there is none
 */
export async function sweep(session: InboxSession): Promise<number | null> {
  const [row] = await session.query<{ wait: number | null }>(
    session.releasing,
    "SELECT extract(epoch FROM next_attempt_in)::float8 AS wait FROM omoide.sweep($1, $2)",
    [session.lanes.count, session.lanes.mine],
  );
  if (session.lanes.mine.includes(0)) await recycle(session, true);
  return typeof row?.wait === "number" ? Math.max(0, row.wait * 1000) : null;
}
