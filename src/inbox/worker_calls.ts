import { ASK_DURABILITY, type Durability } from "./durability.ts";
import type { Media, MediaType } from "../media.ts";
import type { FreeSpace, Stored } from "../stored.ts";
import { SCHEMA_VERSION } from "./schema_version.ts";
import type { InboxSession } from "./session.ts";

/** A media owed to this storage. */
export interface Delivery {
  readonly media: Media;
  /** How often storing it has been tried and has failed. */
  readonly attempts: number;
}

/** What the inbox says of the storage that this role belongs to. */
export interface TakenStorage {
  readonly prefixSize: number;
  /** UUID of the inbox. */
  readonly inbox: string;
}

/**
 * Takes part in the work on a storage for as long as the session lives, with as many lanes as are free and due
 * to this session: `session.lanes`.
 *
 * @param process UUID of this process, for all of its sessions the same
 * @param lanes the number of lanes for which the root has been locked
 * @returns its `unclean` are the lanes taken whose worker died while it was storing
 *
 * @throws {ConfigurationError} wrong role, identity or schema version, or a retired storage
 * @throws {StorageHeldError} other workers have all of its lanes, or a tool of the administrator's has it
 * @throws {StorageDistrustedError} an administrator must verify it first
 */
export async function takeStorage(
  session: InboxSession,
  storage: string,
  identity: string,
  process: string | null = null,
  lanes: number | null = null,
): Promise<TakenStorage & { readonly unclean: readonly number[] }> {
  const [row] = await session.query<TakenRow>(
    session.control,
    "SELECT prefix_size, inbox, life, lanes, mine, unclean FROM omoide.take_storage($1, $2, $3, $4, $5)",
    [SCHEMA_VERSION, storage, identity, process, lanes],
  );
  if (row === undefined) throw new TypeError("the inbox said nothing about this storage");
  session.identity = identity;
  session.process = process;
  session.life = row.life;
  session.lanes = { count: row.lanes, mine: row.mine };
  return { prefixSize: row.prefix_size, inbox: row.inbox, unclean: row.unclean };
}

interface TakenRow extends Record<string, unknown> {
  prefix_size: number;
  inbox: string;
  life: string;
  lanes: number;
  mine: number[];
  unclean: number[];
}

/** As `takeStorage`, but takes no lock and changes nothing; `held` says whether a worker or a tool has it. */
export async function checkStorage(
  session: InboxSession,
  storage: string,
  identity: string,
): Promise<TakenStorage & { readonly held: boolean; readonly lanes: number }> {
  const [row] = await session.query<
    { prefix_size: number; inbox: string; held: boolean; lanes: number }
  >(
    session.control,
    "SELECT prefix_size, inbox, held, lanes FROM omoide.check_storage($1, $2, $3)",
    [SCHEMA_VERSION, storage, identity],
  );
  if (row === undefined) throw new TypeError("the inbox said nothing about this storage");
  return { prefixSize: row.prefix_size, inbox: row.inbox, held: row.held, lanes: row.lanes };
}

/** Whether the database keeps what it commits. */
export async function readDurability(session: InboxSession): Promise<Durability> {
  const [row] = await session.query<Durability>(session.control, ASK_DURABILITY, []);
  if (row === undefined) throw new TypeError("the database said nothing about itself");
  return row;
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

/** Marks the storage: nothing more is accepted from it until an administrator trusts it again. */
export async function distrust(session: InboxSession, reason: string): Promise<void> {
  await session.query(session.control, "SELECT omoide.distrust($1)", [reason]);
}

/** What a worker says about itself. Sizes in bytes. */
export interface Beat {
  readonly version: string;
  readonly startedAt: Date;
  readonly state: WorkerState;
  readonly reason: string | null;
  /** Null if the disk did not answer in time. */
  readonly space: FreeSpace | null;
  /** Since this session began; of one that came before, what it had not reported is in this one's. */
  readonly storedMedia: number;
  readonly storedBytes: number;
  readonly lastError: string | null;
}

export type WorkerState =
  | "starting"
  | "idle"
  | "storing"
  | "paused"
  | "standby"
  | "stopped"
  | "distrusted";

/**
 * A beat is the liveness query too. Every 10 s with an answer in 15 s finds a connection that fell silent
 * within 25 s; nothing else that runs on this connection takes longer than a second.
 */
const BEAT_TIMEOUT_MS = 15_000;

/** @returns how many lanes the storage has now; 0 if it is distrusted, and all of its workers must stop */
export async function heartbeat(session: InboxSession, beat: Beat): Promise<number> {
  const [row] = await session.query<{ lanes: number }>(
    session.control,
    "SELECT omoide.heartbeat($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS lanes",
    [
      session.life,
      beat.version,
      beat.startedAt,
      beat.state,
      beat.reason,
      beat.space?.bytes ?? null,
      beat.space?.totalBytes ?? null,
      beat.space?.inodes ?? null,
      beat.space?.totalInodes ?? null,
      beat.storedMedia,
      beat.storedBytes,
      beat.lastError,
    ],
    BEAT_TIMEOUT_MS,
  );
  return row?.lanes ?? 0;
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

/**
 * Asks to be notified of every media of its lanes from now on. If false, something is due already, or a submit that
 * counts on this worker to look by itself has not ended yet: it must do so.
 */
export async function fallAsleep(session: InboxSession): Promise<boolean> {
  const [row] = await session.query<{ asleep: boolean }>(
    session.control,
    "SELECT omoide.fall_asleep($1, $2) AS asleep",
    [session.lanes.count, session.lanes.mine],
  );
  return row?.asleep === true;
}

/** Says that this worker looks by itself again, so that submits need not notify it. */
export async function stayAwake(session: InboxSession): Promise<void> {
  await session.query(session.control, "SELECT omoide.stay_awake($1, $2)", [
    session.lanes.count,
    session.lanes.mine,
  ]);
}
