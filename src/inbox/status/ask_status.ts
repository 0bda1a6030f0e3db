import type { Depth } from "../../finding.ts";
import type { Connection } from "../connect.ts";
import { ASK_DURABILITY, type Durability } from "../durability.ts";
import { ask } from "./ask.ts";
import type {
  CheapStatus,
  Counts,
  GenerationStatus,
  InboxStatus,
  LaneStatus,
  LookStatus,
  OpenFindings,
  StorageStatus,
  Tally,
  Usage,
} from "./status.ts";
import { withCounts } from "./status.ts";

/** Numbers come as text if they could exceed 2^53; none here does. */
const age = (time: string) => `extract(epoch FROM now() - ${time})::float8`;

const STORAGES = `
  SELECT storage, identity AS uuid, retired_at IS NOT NULL AS retired,
    distrusted_reason AS distrusted, ${age("last_receipt_at")} AS "lastReceiptAge",
    owed::float8, owed_bytes::float8 AS "owedBytes", ${age("oldest_sealed_at")} AS "oldestOwedAge",
    failing::float8, parked::float8, state, reason, version, ${age("seen_at")} AS "seenAge",
    ${age("standby_seen_at")} AS "standbySeenAge", free_bytes::float8 AS "freeBytes",
    total_bytes::float8 AS "totalBytes", free_inodes::float8 AS "freeInodes",
    total_inodes::float8 AS "totalInodes", last_error AS "lastError",
    ${age("required_since")} AS "registeredAge"
  FROM omoide.storage_status
  ORDER BY id`;

const LANES = `
  SELECT storage, lane, process AS worker, host(client) AS address, state, reason,
    ${age("seen_at")} AS "seenAge", owed::float8
  FROM omoide.lane_status
  ORDER BY storage, lane`;

const LOOKS = `
  SELECT storage, depth, ${age("started_at")} AS "underWayAge", ${age("seen_at")} AS "seenAge",
    coalesce(files, 0)::float8 AS files, coalesce(bytes, 0)::float8 AS bytes,
    ${age("finished_at")} AS "finishedAge", finished_files::float8 AS "finishedFiles",
    finished_bytes::float8 AS "finishedBytes"
  FROM omoide.look_status`;

const FINDINGS = `
  SELECT storage, kind, count(*)::float8 AS open, ${age("min(found_at)")} AS "oldestAge"
  FROM omoide.finding
  WHERE closed_at IS NULL
    AND storage IN (SELECT s.storage FROM omoide.storage_status s WHERE s.retired_at IS NULL)
  GROUP BY storage, kind
  ORDER BY storage, kind`;

const INBOX = `
  SELECT t.inbox, t.inbox_name AS "inboxName", t.min_copies AS "minCopies", i.media::float8, i.bytes::float8,
    i.max_inbox_bytes::float8 AS "bytesLimit", i.disk_bytes::float8 AS "diskBytes",
    i.max_inbox_disk_bytes::float8 AS "diskBytesLimit",
    (SELECT count(*) FROM omoide.miscount)::float8 AS miscounts,
    extract(epoch FROM t.scrub_cycle)::float8 AS "scrubCycle",
    extract(epoch FROM clock_timestamp() - omoide.oldest_snapshot())::float8
      AS "oldestSnapshotAge",
    extract(epoch FROM clock_timestamp() - omoide.commit_waits_since())::float8 AS "commitWaitAge",
    (SELECT count(*) FROM pg_class c
      WHERE c.relnamespace = 'omoide'::regnamespace AND c.relkind IN ('r', 'p', 'v')
        AND c.relowner <> coalesce(to_regrole(omoide.role_of('owner')::text), 0))::float8
    + (SELECT count(*) FROM pg_proc p
      WHERE p.pronamespace = 'omoide'::regnamespace AND p.proname <> 'reset_settings'
        AND p.proowner <> coalesce(to_regrole(omoide.role_of('owner')::text), 0))::float8 AS "foreign"
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

const HELD = "SELECT storage, media::float8, bytes::float8 FROM omoide.held";

const COPIES = `
  SELECT gone::float8, under_replicated::float8 AS "underReplicated", incomplete::float8,
    (SELECT count(*) FROM omoide.shared_paths)::float8 AS "sharedPaths"
  FROM omoide.copies`;

const NIL = "00000000-0000-0000-0000-000000000000";

/** All but what is counted. Errors as `ask`. */
export async function askStatus(connection: Connection): Promise<CheapStatus> {
  const storages = await ask<Omit<StorageStatus, "held" | "heldBytes" | "looks" | "lanes">>(
    connection,
    STORAGES,
  );
  const looks = await ask<LookStatus & { storage: string; depth: Depth }>(connection, LOOKS);
  const findings = await ask<OpenFindings>(connection, FINDINGS);
  const usage = await ask<Usage>(connection, USAGE, [NIL]);
  const generations = await ask<GenerationStatus>(connection, GENERATIONS);
  const [inbox] = await ask<
    Omit<CheapStatus, "storages" | "usage" | "generations" | "durability" | "findings">
  >(connection, INBOX);
  const [durability] = await ask<Durability>(connection, ASK_DURABILITY);
  if (inbox === undefined || durability === undefined) {
    throw new Error("the inbox has no settings");
  }
  const lanes = await ask<LaneStatus & { storage: string }>(connection, LANES);
  const whole = storages.map((each) => ({
    ...each,
    looks: looksAt(each.storage, looks),
    lanes: lanes.filter(({ storage }) => storage === each.storage)
      .map(({ storage: _, ...lane }) => lane),
  }));
  return { ...inbox, storages: whole, findings, generations, usage, durability };
}

const NEVER: LookStatus = {
  underWayAge: null,
  seenAge: null,
  files: 0,
  bytes: 0,
  finishedAge: null,
  finishedFiles: null,
  finishedBytes: null,
};

function looksAt(
  name: string,
  looks: readonly (LookStatus & { storage: string; depth: Depth })[],
): Record<Depth, LookStatus> {
  const of = (wanted: Depth): LookStatus => {
    const found = looks.find(({ storage, depth }) => storage === name && depth === wanted);
    if (found === undefined) return NEVER;
    const { storage: _, depth: __, ...look } = found;
    return look;
  };
  return { shallow: of("shallow"), deep: of("deep") };
}

/** What is counted. Errors as `ask`. */
export async function askCounts(connection: Connection): Promise<Counts> {
  const held = await askHeld(connection);
  const [copies] = await ask<Omit<Counts, "held">>(connection, COPIES);
  if (copies === undefined) throw new Error("the inbox has no settings");
  return { held, ...copies };
}

async function askHeld(connection: Connection): Promise<Counts["held"]> {
  const rows = await ask<Tally & { storage: string }>(connection, HELD);
  return new Map(rows.map(({ storage, media, bytes }) => [storage, { media, bytes }]));
}

/**
 * Everything that `inbox status` shows.
 *
 * @param quick leave out the copies of each media, which are then 0
 */
export async function inboxStatus(connection: Connection, quick = false): Promise<InboxStatus> {
  const status = await askStatus(connection);
  if (!quick) return withCounts(status, await askCounts(connection));
  const held = await askHeld(connection);
  return withCounts(status, { underReplicated: 0, incomplete: 0, gone: 0, sharedPaths: 0, held });
}
