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
  /** Null where no worker has ever been seen. */
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

export interface InboxStatus {
  readonly inbox: string;
  readonly minCopies: number;
  readonly storages: readonly StorageStatus[];
  readonly media: number;
  readonly bytes: number;
  readonly bytesLimit: number;
  readonly diskBytes: number;
  readonly diskBytesLimit: number;
  /** Today's usage (UTC): all together, then the owners nearest their limit. */
  readonly usage: readonly Usage[];
  /** Released media held by fewer trusted storages than min_copies, but by one. */
  readonly underReplicated: number;
  /** Released media that not every required storage holds, but enough of them: from before one was added. */
  readonly incomplete: number;
  /** Released media that no storage has a receipt for: purged. */
  readonly gone: number;
}

type Copies = Pick<InboxStatus, "underReplicated" | "incomplete" | "gone">;

/** Numbers come as text where they could exceed 2^53; none here does. */
const age = (time: string) => `extract(epoch FROM now() - ${time})::float8`;

const STORAGES = `
  SELECT s.name AS storage, s.identity AS uuid, s.retired_at IS NOT NULL AS retired,
    s.distrusted_reason AS distrusted,
    (SELECT count(*) FROM omoide.stored r WHERE r.storage_id = s.id)::float8 AS held,
    -- The last receipt is one of the highest ids: no index on stored_at, which nobody else asks for.
    (SELECT ${age("max(l.stored_at)")} FROM (
      SELECT r.stored_at FROM omoide.stored r WHERE r.storage_id = s.id
      ORDER BY r.media_id DESC LIMIT 1000) l) AS "lastReceiptAge",
    coalesce(o.owed, 0)::float8 AS owed, coalesce(o.bytes, 0)::float8 AS "owedBytes",
    o.oldest AS "oldestOwedAge", coalesce(o.failing, 0)::float8 AS failing,
    coalesce(o.parked, 0)::float8 AS parked,
    w.state, w.reason, w.version, ${age("w.seen_at")} AS "seenAge",
    ${age("w.standby_seen_at")} AS "standbySeenAge",
    w.free_bytes::float8 AS "freeBytes", w.total_bytes::float8 AS "totalBytes",
    w.free_inodes::float8 AS "freeInodes", w.total_inodes::float8 AS "totalInodes",
    w.last_error AS "lastError"
  FROM omoide.storage s
  LEFT JOIN omoide.worker w ON w.storage_id = s.id
  LEFT JOIN (
    SELECT d.storage_id, count(*) AS owed, sum(m.size) AS bytes, ${
  age("min(m.sealed_at)")
} AS oldest,
      count(*) FILTER (WHERE d.attempts > 0 AND d.parked_at IS NULL) AS failing,
      count(d.parked_at) AS parked
    FROM omoide.delivery d JOIN omoide.media m ON m.id = d.media_id
    GROUP BY d.storage_id
  ) o ON o.storage_id = s.id
  ORDER BY s.id`;

const INBOX = `
  SELECT t.inbox, t.min_copies AS "minCopies", i.media::float8, i.bytes::float8,
    i.max_inbox_bytes::float8 AS "bytesLimit", i.disk_bytes::float8 AS "diskBytes",
    i.max_inbox_disk_bytes::float8 AS "diskBytesLimit"
  FROM omoide.settings t, omoide.inbox_status i`;

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

/** The media that have left the inbox: how many trusted storages hold them. One pass over all. */
const COPIES = `
  SELECT count(*) FILTER (WHERE coalesce(r.copies, 0) = 0)::float8 AS gone,
    count(*) FILTER (WHERE r.copies < t.min_copies)::float8 AS "underReplicated",
    count(*) FILTER (WHERE r.copies >= t.min_copies AND r.copies < (
      SELECT count(*) FROM omoide.storage a WHERE a.retired_at IS NULL AND a.distrusted_at IS NULL
    ))::float8 AS incomplete
  FROM omoide.settings t, omoide.media m
  LEFT JOIN (
    SELECT h.media_id, count(*) AS copies FROM omoide.stored h
    WHERE h.storage_id IN (
      SELECT s.id FROM omoide.storage s WHERE s.retired_at IS NULL AND s.distrusted_at IS NULL)
    GROUP BY h.media_id
  ) r ON r.media_id = m.id
  WHERE m.released_at IS NOT NULL`;

/**
 * Asks everything `inbox status` tells.
 *
 * @param quick leave out what takes time with everything that was ever stored (2 s for 500,000 media): the
 *   copies of each media, which are then told as 0
 */
export async function inboxStatus(
  { connection }: AdminInbox,
  quick = false,
): Promise<InboxStatus> {
  const nil = "00000000-0000-0000-0000-000000000000";
  const storages = await ask<StorageStatus>(connection, STORAGES);
  const usage = await ask<Usage>(connection, USAGE, [nil]);
  const [inbox] = await ask<Omit<InboxStatus, "storages" | "usage" | keyof Copies>>(
    connection,
    INBOX,
  );
  const [copies] = quick
    ? [{ underReplicated: 0, incomplete: 0, gone: 0 }]
    : await ask<Copies>(connection, COPIES);
  if (inbox === undefined || copies === undefined) throw new Error("the inbox has no settings");
  return { ...inbox, ...copies, storages, usage };
}
