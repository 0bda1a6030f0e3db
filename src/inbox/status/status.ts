import type { Durability } from "../durability.ts";
import type { Depth, FindingKind } from "../../finding.ts";

/**
 * The form of what the inbox says of itself: asked by `ask_status.ts`, judged in `src/verdict`.
 */

/** One storage, what is owed to it, and its worker. Ages in seconds, sizes in bytes. */
export interface StorageStatus {
  readonly storage: string;
  readonly uuid: string;
  readonly retired: boolean;
  readonly distrusted: string | null;
  /** Receipts: media that it has. */
  readonly held: number;
  readonly heldBytes: number;
  readonly lastReceiptAge: number | null;
  readonly owed: number;
  readonly owedBytes: number;
  readonly oldestOwedAge: number | null;
  /** Owed, tried and not done: waiting for the next attempt. */
  readonly failing: number;
  readonly parked: number;
  /** Null if no worker has ever been seen. */
  readonly state: string | null;
  readonly reason: string | null;
  readonly version: string | null;
  readonly seenAge: number | null;
  readonly standbySeenAge: number | null;
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  readonly freeInodes: number | null;
  readonly totalInodes: number | null;
  readonly lastError: string | null;
  /** Since it was registered. */
  readonly registeredAge: number;
  readonly looks: Readonly<Record<Depth, LookStatus>>;
  /** If it has several; none otherwise. What is said of its worker is said of the one that is worst off. */
  readonly lanes: readonly LaneStatus[];
}

/** One of a storage's lanes, and the worker that has it or had it last. */
export interface LaneStatus {
  readonly lane: number;
  /** UUID of the worker's process, whose first digits its log names; null if nobody has had it. */
  readonly worker: string | null;
  /** Where the worker connects from; null through a Unix socket. */
  readonly address: string | null;
  readonly state: string | null;
  readonly reason: string | null;
  readonly seenAge: number | null;
  /** Of the `LANES_COUNT_MOST` media that are owed to the storage for longest, those of this lane. */
  readonly owed: number;
}

/** As the view `lane_status` counts: to count all would take the longer the more is owed. */
export const LANES_COUNT_MOST = 10_000;

/** Looks of one depth at a storage. Ages in seconds, sizes in bytes; null for what has not been yet. */
export interface LookStatus {
  /** Since the look that is under way began; null between two. */
  readonly underWayAge: number | null;
  /** Since it last said how far it is. */
  readonly seenAge: number | null;
  readonly files: number;
  readonly bytes: number;
  /** Since the last whole look came to its end. */
  readonly finishedAge: number | null;
  readonly finishedFiles: number | null;
  readonly finishedBytes: number | null;
}

/** Findings of one kind in one storage that no later look has closed. */
export interface OpenFindings {
  readonly storage: string;
  readonly kind: FindingKind;
  readonly open: number;
  /** Seconds since the earliest was found. */
  readonly oldestAge: number;
}

/** A use of something that has a limit. */
export interface Usage {
  /** Null for all owners together. */
  readonly owner: string | null;
  readonly bytes: number;
  readonly bytesLimit: number;
  readonly media: number;
  readonly mediaLimit: number;
}

/** One of the tables that hold the blobs. Sizes in bytes. */
export interface GenerationStatus {
  readonly generation: number;
  /** Whether it is the one into which new media go. */
  readonly current: boolean;
  readonly fileBytes: number;
  /** Of these, what is still owed; the rest goes with the whole generation, once none of it is owed. */
  readonly liveBytes: number;
  /** Media and pending uploads that it has, counted to `MOST_WAITING` media, and `liveBytes` of those. */
  readonly waiting: number;
  readonly oldestAge: number | null;
}

/** How far the view generation_status counts. */
export const MOST_WAITING = 1000;

export interface InboxStatus {
  /** The inbox's UUID. */
  readonly inbox: string;
  /** Empty if it has none. */
  readonly inboxName: string;
  readonly minCopies: number;
  readonly storages: readonly StorageStatus[];
  readonly media: number;
  readonly bytes: number;
  readonly bytesLimit: number;
  readonly diskBytes: number;
  readonly diskBytesLimit: number;
  /** Since the oldest transaction of the inbox's roles began; null if none is open. */
  readonly oldestSnapshotAge: number | null;
  /** For how long a commit has waited for a synchronous standby; null if none does. */
  readonly commitWaitAge: number | null;
  /** Those that have something in them. */
  readonly generations: readonly GenerationStatus[];
  /** Today's usage (UTC): all together, then the owners nearest their limit. */
  readonly usage: readonly Usage[];
  /** Released media that fewer trusted storages have than min_copies, but one has. */
  readonly underReplicated: number;
  /** Released media that not every required storage has, but enough of them: from before one was added. */
  readonly incomplete: number;
  /** Released media that no storage has a receipt for: purged. */
  readonly gone: number;
  readonly durability: Durability;
  /** Seconds within which each storage should be read to its end; null: nobody scrubs. */
  readonly scrubCycle: number | null;
  /** In storages that are not retired. */
  readonly findings: readonly OpenFindings[];
  /** Paths of which one storage has receipts for different bytes: at most one of them can be true. */
  readonly sharedPaths: number;
  /** Tables and functions that the owner's role does not own: restored, and `inbox init` not run since. */
  readonly foreign: number;
  /** Blocks of 4,096 media whose counter was not what it counts; see `inbox recount`. */
  readonly miscounts: number;
}

/** A number of media, and of their bytes. */
export interface Tally {
  readonly media: number;
  readonly bytes: number;
}

/** What is counted again where it has changed since a sweep: 6 ms for each 4,096 media. */
export interface Counts {
  /** What each storage has a receipt for, by its name. */
  readonly held: ReadonlyMap<string, Tally>;
  readonly underReplicated: number;
  readonly incomplete: number;
  readonly gone: number;
  readonly sharedPaths: number;
}

/** An `InboxStatus` without its counts. */
export interface CheapStatus extends Omit<InboxStatus, "storages" | Exclude<keyof Counts, "held">> {
  readonly storages: readonly Omit<StorageStatus, "held" | "heldBytes">[];
}

/** @param counts null: nothing was counted, and all are 0 */
export function withCounts(status: CheapStatus, counts: Counts | null): InboxStatus {
  const { underReplicated, incomplete, gone, sharedPaths } = counts ?? NOTHING_COUNTED;
  const storages = status.storages.map((storage) => ({
    ...storage,
    held: counts?.held.get(storage.storage)?.media ?? 0,
    heldBytes: counts?.held.get(storage.storage)?.bytes ?? 0,
  }));
  return { ...status, storages, underReplicated, incomplete, gone, sharedPaths };
}

const NOTHING_COUNTED = { underReplicated: 0, incomplete: 0, gone: 0, sharedPaths: 0 };

/** The same status the given seconds later: every age has grown. */
export function aged(status: InboxStatus, seconds: number): InboxStatus {
  const older = <T extends object>(from: T): T => {
    const entries = Object.entries(from).map(([key, value]) =>
      /(^a|A)ge$/.test(key) && typeof value === "number" ? [key, value + seconds] : [key, value]
    );
    return Object.fromEntries(entries) as T;
  };
  return {
    ...older(status),
    storages: status.storages.map((storage) => ({
      ...older(storage),
      looks: { shallow: older(storage.looks.shallow), deep: older(storage.looks.deep) },
      lanes: storage.lanes.map(older),
    })),
    generations: status.generations.map(older),
    findings: status.findings.map(older),
  };
}
