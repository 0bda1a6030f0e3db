import { ofBothHalves } from "./both_halves.ts";
import { columnsOf, type FileOfMedia, FILES, IS_FILE } from "./file_of_media.ts";
import { type AdminInbox, ask, change, transaction } from "./inbox.ts";

/** What an inbox has of one owner. */
export interface OwnerState {
  /** Since when nothing more is taken of the owner; null if it is. */
  readonly frozenAt: Date | null;
  /** Transactions of the application that had begun before, and may still bring something. */
  readonly earlier: number;
  /** Media that have not left the inbox, and their bytes. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Uploads that are still coming in. */
  readonly uploads: number;
  /** Receipts by storage, of those that are not retired. */
  readonly storages: readonly { readonly storage: string; readonly files: number }[];
  /** Tokens with which the owner can still use the gateway. */
  readonly tokens: number;
  /** Items whose file's name is known. */
  readonly items: number;
}

/** Not a media yet. Also if it has expired, until a sweep takes it away: a transaction may be just finishing it. */
const PENDING = "u.media_id IS NULL";
const VALID = "t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())";

/**
 * The application's transactions that began before a freeze: what they did before they saw it, they may commit
 * after. To be asked before a statement that looks for what they have committed: activity is no part of a
 * snapshot, so in one statement with it, what is committed in between is neither.
 */
const EARLIER = `
  SELECT o.owner, count(a.pid)::float8 AS earlier
  FROM unnest($1::uuid[]) AS o (owner)
  JOIN omoide.frozen f ON f.owner_uuid = o.owner
  JOIN pg_stat_activity a ON a.xact_start <= f.frozen_at
  WHERE a.datname = current_database() AND a.usename = omoide.role_of('app')
  GROUP BY o.owner`;

/**
 * Has the inbox take nothing more of an owner (SQLSTATE OM007), or again. What is there already goes on: an
 * upload that was opened before may still be finished.
 */
export async function freezeOwner(
  { connection }: AdminInbox,
  owner: string,
  frozen: boolean,
): Promise<void> {
  const statements = frozen
    ? [
      "INSERT INTO omoide.frozen (owner_uuid, frozen_at) VALUES ($1, 'infinity') ON CONFLICT DO NOTHING",
      // Since when everybody sees it, and that is after the commit, which can take as long as a synchronous
      // standby is behind. Whoever began before may not have seen it. If this is not reached, the owner does
      // not count as frozen, and freezing once more does it.
      "UPDATE omoide.frozen SET frozen_at = clock_timestamp() WHERE owner_uuid = $1 AND frozen_at = 'infinity'",
    ]
    : ["DELETE FROM omoide.frozen WHERE owner_uuid = $1"];
  for (const statement of statements) await ask(connection, statement, [owner]);
}

const RECEIPTS = ofBothHalves(
  "m",
  (half) => `
  SELECT r.storage_id FROM omoide.media m JOIN omoide.stored r ON r.media_id = m.id
  WHERE m.owner_uuid = $1 AND ${half}`,
);

/** What there is of an owner: whether all has left the inbox, and where it is. */
export async function ownerState({ connection }: AdminInbox, owner: string): Promise<OwnerState> {
  const [before] = await ask<{ earlier: number }>(connection, EARLIER, [[owner]]);
  const [state] = await ask<Omit<OwnerState, "storages" | "earlier">>(
    connection,
    `SELECT w.n::float8 AS waiting, w.bytes::float8 AS "waitingBytes",
      (SELECT count(*) FROM omoide.upload u WHERE u.owner_uuid = $1 AND ${PENDING})::float8 AS uploads,
      (SELECT f.frozen_at FROM omoide.frozen f WHERE f.owner_uuid = $1 AND isfinite(f.frozen_at)) AS "frozenAt",
      (SELECT count(*) FROM omoide.token t WHERE t.owner_uuid = $1 AND ${VALID})::float8 AS tokens,
      (SELECT count(*) FROM omoide.item i WHERE i.owner_uuid = $1)::float8 AS items
    FROM (SELECT count(*) AS n, coalesce(sum(a.size), 0) AS bytes
      FROM omoide.waiting a JOIN omoide.media m ON m.id = a.media_id WHERE m.owner_uuid = $1) w`,
    [owner],
  );
  if (state === undefined) throw new TypeError("the inbox said nothing about this owner");
  const storages = await ask<{ storage: string; files: number }>(
    connection,
    `SELECT s.name AS storage, (SELECT count(*) FROM (${RECEIPTS}) r WHERE r.storage_id = s.id)::float8 AS files
    FROM omoide.storage s WHERE s.retired_at IS NULL ORDER BY s.id`,
    [owner],
  );
  return { ...state, earlier: before?.earlier ?? 0, storages };
}

/** Of these owners, those who are not frozen, or of whom something has not left the inbox or may still come. */
export async function ownersNotDrained(
  { connection }: AdminInbox,
  owners: readonly string[],
): Promise<string[]> {
  const before = await ask<{ owner: string }>(connection, EARLIER, [owners]);
  const rows = await ask<{ owner: string }>(
    connection,
    `SELECT o.owner FROM unnest($1::uuid[]) AS o (owner)
    WHERE EXISTS (SELECT FROM omoide.waiting w JOIN omoide.media m ON m.id = w.media_id
        WHERE m.owner_uuid = o.owner)
      OR EXISTS (SELECT FROM omoide.upload u WHERE u.owner_uuid = o.owner AND ${PENDING})
      OR NOT EXISTS (SELECT FROM omoide.frozen f WHERE f.owner_uuid = o.owner AND isfinite(f.frozen_at))`,
    [owners],
  );
  return [...new Set([...before, ...rows].map(({ owner }) => owner))];
}

/** What goes with an owner from one inbox to another, beside the files. */
export interface HandedOver {
  readonly items: number;
  readonly tokens: number;
}

/**
 * Copies what an inbox knows of an owner's items (their files' names and dates), and the valid tokens' hashes,
 * into another inbox: what is there already stays. In one transaction there; changes nothing here.
 */
export async function handOver(
  from: AdminInbox,
  to: AdminInbox,
  owner: string,
): Promise<HandedOver> {
  const items = await ask<{ json: string }>(
    from.connection,
    `SELECT coalesce(json_agg(i ORDER BY i.seq), '[]')::text AS json FROM omoide.item i WHERE i.owner_uuid = $1`,
    [owner],
  );
  const tokens = await ask<{ json: string }>(
    from.connection,
    `SELECT coalesce(json_agg(t ORDER BY t.id), '[]')::text AS json FROM omoide.token t
    WHERE t.owner_uuid = $1 AND ${VALID}`,
    [owner],
  );
  return await transaction(to, async () => {
    const made = await change(
      to.connection,
      `INSERT INTO omoide.item (owner_uuid, item_uuid, file_name, last_modified, recorded_at)
      SELECT i.owner_uuid, i.item_uuid, i.file_name, i.last_modified, i.recorded_at
      FROM json_to_recordset($1::json) AS i (owner_uuid uuid, item_uuid uuid, seq bigint, file_name text,
        last_modified timestamptz, recorded_at timestamptz)
      WHERE i.owner_uuid = $2 ORDER BY i.seq ON CONFLICT (owner_uuid, item_uuid) DO NOTHING`,
      [items[0]?.json, owner],
    );
    const valid = await change(
      to.connection,
      `INSERT INTO omoide.token (sha256, owner_uuid, label, made_at, expires_at)
      SELECT t.sha256, t.owner_uuid, t.label, t.made_at, t.expires_at
      FROM json_to_recordset($1::json) AS t (id int, sha256 bytea, owner_uuid uuid, label text,
        made_at timestamptz, expires_at timestamptz)
      WHERE t.owner_uuid = $2 ORDER BY t.id ON CONFLICT (sha256) DO NOTHING`,
      [tokens[0]?.json, owner],
    );
    return { items: made, tokens: valid };
  });
}

const STORED = ofBothHalves(
  "m",
  (half) => `
  SELECT r.storage_id FROM omoide.media m JOIN omoide.stored r ON r.media_id = m.id
  WHERE ${IS_FILE} AND ${half}
    AND NOT EXISTS (SELECT FROM omoide.waiting w WHERE w.media_id = m.id)`,
);

/** Of these files, how many have no receipt of one of these storages. */
export async function withoutReceipts(
  { connection }: AdminInbox,
  storageIds: readonly number[],
  files: readonly FileOfMedia[],
): Promise<number> {
  const [row] = await ask<{ n: number }>(
    connection,
    `SELECT count(*)::int AS n FROM ${FILES}
    WHERE (SELECT count(DISTINCT r.storage_id) FROM (${STORED}) r WHERE r.storage_id = ANY ($6::int[])) < $7`,
    [...columnsOf(files), storageIds, storageIds.length],
  );
  return row?.n ?? files.length;
}
