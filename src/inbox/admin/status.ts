import { ASK_DURABILITY, type Durability } from "../durability.ts";
import { type AdminInbox, ask } from "./inbox.ts";

/** One storage, what is owed to it, and its worker. Ages in seconds, sizes in bytes. */
export interface StorageStatus {
  readonly storage: string;
  readonly uuid: string;
  readonly retired: boolean;
  readonly distrusted: string | null;
  /** Receipts: media it holds. */
  readonly held: number;
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
  /** Of these, what somebody waits for; the rest goes with the whole, once nobody waits for any of it. */
  readonly liveBytes: number;
  /** Media and pending uploads that it has. */
  readonly waiting: number;
  readonly oldestAge: number | null;
}

export interface InboxStatus {
  readonly inbox: string;
  readonly minCopies: number;
  readonly storages: readonly StorageStatus[];
  readonly media: number;
  readonly bytes: number;
  readonly bytesLimit: number;
  readonly diskBytes: number;
  readonly diskBytesLimit: number;
  /** Those that have something in them. */
  readonly generations: readonly GenerationStatus[];
  /** Today's usage (UTC): all together, then the owners nearest their limit. */
  readonly usage: readonly Usage[];
  /** Released media held by fewer trusted storages than min_copies, but by one. */
  readonly underReplicated: number;
  /** Released media that not every required storage holds, but enough of them: from before one was added. */
  readonly incomplete: number;
  /** Released media that no storage has a receipt for: purged. */
  readonly gone: number;
  readonly durability: Durability;
  /** Paths of which one storage has receipts for different bytes: at most one of them can be true. */
  readonly sharedPaths: number;
  /** Things in the schema that are not omoide_owner's: restored, and `inbox init` not run since. */
  readonly foreign: number;
}

type Copies = Pick<InboxStatus, "underReplicated" | "incomplete" | "gone" | "sharedPaths">;

/** Numbers come as text if they could exceed 2^53; none here does. */
const age = (time: string) => `extract(epoch FROM now() - ${time})::float8`;

const STORAGES = `
  SELECT storage, identity AS uuid, retired_at IS NOT NULL AS retired,
    distrusted_reason AS distrusted, held::float8, ${age("last_receipt_at")} AS "lastReceiptAge",
    owed::float8, owed_bytes::float8 AS "owedBytes", ${age("oldest_sealed_at")} AS "oldestOwedAge",
    failing::float8, parked::float8, state, reason, version, ${age("seen_at")} AS "seenAge",
    ${age("standby_seen_at")} AS "standbySeenAge", free_bytes::float8 AS "freeBytes",
    total_bytes::float8 AS "totalBytes", free_inodes::float8 AS "freeInodes",
    total_inodes::float8 AS "totalInodes", last_error AS "lastError"
  FROM omoide.storage_status
  ORDER BY id`;

const INBOX = `
  SELECT t.inbox, t.min_copies AS "minCopies", i.media::float8, i.bytes::float8,
    i.max_inbox_bytes::float8 AS "bytesLimit", i.disk_bytes::float8 AS "diskBytes",
    i.max_inbox_disk_bytes::float8 AS "diskBytesLimit",
    (SELECT count(*) FROM pg_class c
      WHERE c.relnamespace = 'omoide'::regnamespace AND c.relkind IN ('r', 'p', 'v')
        AND c.relowner <> coalesce(to_regrole('omoide_owner'), 0))::float8
    + (SELECT count(*) FROM pg_proc p
      WHERE p.pronamespace = 'omoide'::regnamespace AND p.proname <> 'reset_settings'
        AND p.proowner <> coalesce(to_regrole('omoide_owner'), 0))::float8 AS "foreign"
  FROM omoide.settings t, omoide.inbox_status i`;

const GENERATIONS = `
  SELECT g.generation, g.is_current AS current, g.file_bytes::float8 AS "fileBytes",
    g.live_bytes::float8 AS "liveBytes", g.waiting::float8, ${
  age("g.oldest_sealed_at")
} AS "oldestAge"
  FROM omoide.generation_status g
  ORDER BY g.oldest_sealed_at NULLS LAST, g.current_since`;

const USAGE = `
  SELECT nullif(u.owner_uuid, $1::uuid) AS owner, u.bytes::float8, u.media::float8,
    (CASE WHEN u.owner_uuid = $1 THEN t.all_bytes_per_day ELSE t.owner_bytes_per_day END)::float8
      AS "bytesLimit",
    (CASE WHEN u.owner_uuid = $1 THEN t.all_media_per_day ELSE t.owner_media_per_day END)::float8
      AS "mediaLimit"
  FROM omoide.usage_today u, omoide.settings t
  ORDER BY u.owner_uuid = $1 DESC, greatest(u.bytes / greatest(t.owner_bytes_per_day, 1)::float8,
    u.media / greatest(t.owner_media_per_day, 1)::float8) DESC
  LIMIT 6`;

const COPIES = `
  SELECT gone::float8, under_replicated::float8 AS "underReplicated", incomplete::float8,
    (SELECT count(*) FROM omoide.shared_paths)::float8 AS "sharedPaths"
  FROM omoide.copies`;

/**
 * Asks everything that `inbox status` shows.
 *
 * @param quick leave out what takes time with everything that was ever stored (2 s for 500,000 media): the
 *   copies of each media, which are then 0
 */
export async function inboxStatus(
  { connection }: AdminInbox,
  quick = false,
): Promise<InboxStatus> {
  const nil = "00000000-0000-0000-0000-000000000000";
  const storages = await ask<StorageStatus>(connection, STORAGES);
  const usage = await ask<Usage>(connection, USAGE, [nil]);
  const generations = await ask<GenerationStatus>(connection, GENERATIONS);
  const [inbox] = await ask<
    Omit<InboxStatus, "storages" | "usage" | "generations" | "durability" | keyof Copies>
  >(
    connection,
    INBOX,
  );
  const [copies] = quick
    ? [{ underReplicated: 0, incomplete: 0, gone: 0, sharedPaths: 0 }]
    : await ask<Copies>(connection, COPIES);
  const [durability] = await ask<Durability>(connection, ASK_DURABILITY);
  if (inbox === undefined || copies === undefined || durability === undefined) {
    throw new Error("the inbox has no settings");
  }
  return { ...inbox, ...copies, generations, storages, usage, durability };
}
