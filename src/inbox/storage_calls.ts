/** What a worker asks and says of its storage as a whole. */
import type { FreeSpace } from "../stored.ts";
import { ASK_DURABILITY, type Durability } from "./durability.ts";
import { SCHEMA_VERSION } from "./schema_version.ts";
import type { InboxSession } from "./session.ts";

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
