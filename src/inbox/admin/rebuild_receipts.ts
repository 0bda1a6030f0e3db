import type { Connection } from "../connect.ts";
import { ofBothHalves } from "./both_halves.ts";
import { columnsOf, type FileOfMedia } from "./file_of_media.ts";
import { type AdminInbox, ask, transaction } from "./inbox.ts";

/** A file of a tree as a receipt would describe it. */
export interface HeldFile extends FileOfMedia {
  /** From its object's name; null if it has none yet. */
  readonly mediaId: bigint | null;
  readonly publicName: string;
  /** Relative to the root. */
  readonly path: string;
  readonly size: number;
  /** Seconds since the epoch, UTC. */
  readonly writtenAt: number;
}

/** What became of some files' receipts. */
export interface Rebuilt {
  /** Receipts that were missing and are there now. */
  readonly receipts: number;
  /** Media that the database did not know. */
  readonly media: number;
  /** Files of media that are still in the inbox: the worker looks at their bytes and acknowledges them. */
  readonly left: number;
}

/**
 * The highest id that a file's name can claim for its media, a thousand uploads a second for 35 years. An
 * object called `…-9223372036854775807` set the ids' sequence to its end, and every upload failed from then
 * on: beyond this, an id is none, the file gets a new one, and the sequence stays where it is.
 */
export const HIGHEST_CLAIMED_ID = 2n ** 40n;

function claimedId({ mediaId }: HeldFile): bigint | null {
  return mediaId !== null && mediaId > 0n && mediaId <= HIGHEST_CLAIMED_ID ? mediaId : null;
}

/**
 * The files as rows, each with the media it is: the one of its object's id if that has the same name
 * and bytes, else the earliest that has, else none yet (ids come again when an older database is
 * restored, so an id alone says nothing).
 */
const FILES = `
  CREATE TEMP TABLE IF NOT EXISTS admin_file (
    n int, id bigint, owner uuid, item uuid, type omoide.media_type, ext text, name text, path text,
    size bigint, sha256 bytea, at timestamptz, media_id bigint
  ) ON COMMIT DELETE ROWS`;
const FILL = `
  INSERT INTO admin_file (n, id, owner, item, type, ext, name, path, size, sha256, at)
  SELECT f.n, f.id, f.owner, f.item, f.type, f.ext, f.name, f.path, f.size, decode(f.hex, 'hex'),
    to_timestamp(f.at)
  FROM unnest($6::int[], $7::bigint[], $1::uuid[], $2::uuid[], $3::omoide.media_type[], $4::text[],
    $8::text[], $9::text[], $10::bigint[], $5::text[], $11::float8[])
    AS f(n, id, owner, item, type, ext, name, path, size, hex, at)`;
const SAME = ofBothHalves("m", (half) => `
  SELECT m.id FROM omoide.media m WHERE m.owner_uuid = f.owner AND m.item_uuid = f.item
    AND m.media_type = f.type AND m.ext = f.ext AND m.sha256 = f.sha256 AND ${half}`);
const FIND = `
  UPDATE admin_file f SET media_id = coalesce(
    (SELECT m.id FROM omoide.media m WHERE m.id = f.id AND m.owner_uuid = f.owner
      AND m.item_uuid = f.item AND m.media_type = f.type AND m.ext = f.ext AND m.sha256 = f.sha256),
    (SELECT min(s.id) FROM (${SAME}) s))
  WHERE f.media_id IS NULL`;
/**
 * Those whose id is free keep it; the others get the next ones. Whose the plain name is, is as sealed. They do
 * not wait in the inbox, and are counted as what has left it: no trigger marks what is added to media.
 */
const INSERT = (ids: "own" | "new") => `
  WITH made AS (
    INSERT INTO omoide.media (${ids === "own" ? "id, " : ""}owner_uuid, item_uuid, media_type, ext,
    size, sha256, has_plain_name, holds_name, sealed_at)
  OVERRIDING ${ids === "own" ? "SYSTEM" : "USER"} VALUE
  SELECT ${ids === "own" ? "f.id, " : ""}f.owner, f.item, f.type, f.ext, f.size, f.sha256,
    f.name = f.item || '.' || f.ext, f.name = f.item || '.' || f.ext AND NOT EXISTS (
      SELECT FROM omoide.media h WHERE h.owner_uuid = f.owner AND h.item_uuid = f.item
        AND h.media_type = f.type AND h.ext = f.ext AND h.holds_name),
    f.at
  FROM admin_file f
  WHERE f.media_id IS NULL AND ${
  ids === "own"
    ? "f.n IN (SELECT min(g.n) FROM admin_file g WHERE g.id IS NOT NULL GROUP BY g.id) AND " +
      "NOT EXISTS (SELECT FROM omoide.media m WHERE m.id = f.id)"
    : "true"
}
  ORDER BY f.n
  -- An upload of the same item that is committed at this moment: as in insert_sealed.sql.
  ON CONFLICT (owner_uuid, item_uuid, media_type, ext) WHERE holds_name DO NOTHING RETURNING id
  ), marked AS (
    INSERT INTO omoide.holding_mark (block) SELECT DISTINCT m.id >> 12 FROM made m
  )
  SELECT count(*)::int AS n FROM made`;
const RECEIPTS = `
  WITH known AS (
    SELECT f.media_id, f.at, f.path,
      omoide.public_path(m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, m.has_plain_name,
        s.prefix_size) AS usual
    FROM admin_file f JOIN omoide.media m ON m.id = f.media_id
    JOIN omoide.storage s ON s.id = $1
    WHERE NOT EXISTS (SELECT FROM omoide.waiting w WHERE w.media_id = m.id)
  ), paid AS (
    DELETE FROM omoide.delivery d USING known k WHERE d.storage_id = $1 AND d.media_id = k.media_id
  ), made AS (
    INSERT INTO omoide.stored (storage_id, media_id, outcome, path, stored_at)
    SELECT $1, k.media_id, (CASE WHEN k.path = k.usual THEN 'stored' ELSE 'renamed' END)::omoide.outcome,
      nullif(k.path, k.usual), k.at
    FROM known k ON CONFLICT DO NOTHING
    RETURNING media_id
  )
  SELECT (SELECT count(*) FROM made)::int AS receipts,
    (SELECT count(*) FROM admin_file f JOIN omoide.waiting w ON w.media_id = f.media_id)::int AS "left"`;
/** More ids than others can draw in the microseconds between looking how far they are and setting them. */
export const IDS_AHEAD = 1000;
/**
 * The next upload must not get an id that an object of a tree has already. Only where a file claims one to come:
 * what others draw meanwhile would be given once more.
 */
const IS_TO_COME =
  "FROM omoide.media_id_seq q WHERE q.last_value < $1 OR q.last_value = $1 AND NOT q.is_called";
const SEQUENCE = `SELECT setval('omoide.media_id_seq', $1::bigint + ${IDS_AHEAD}) ${IS_TO_COME}`;
/** Among the locks of storages, of which none has this number. */
const IDS_LOCK = "SELECT pg_advisory_xact_lock(omoide.storage_lock_class(), 0)";

/** Makes the receipts of files that a storage holds, and the media that are missing. One transaction. */
export async function rebuildReceipts(
  inbox: AdminInbox,
  storageId: number,
  files: readonly HeldFile[],
): Promise<Rebuilt> {
  const { connection } = inbox;
  await ask(connection, FILES);
  return await transaction(inbox, async () => {
    const media = await insertMissing(connection, files);
    const [made] = await ask<{ receipts: number; left: number }>(connection, RECEIPTS, [storageId]);
    return { receipts: made?.receipts ?? 0, left: made?.left ?? 0, media };
  });
}

/**
 * The media's ids of files that are to become objects, in their order; makes those that are missing.
 * They have left the inbox by definition: their bytes never were in it, or long ago.
 */
export async function mediaIdsOf(
  inbox: AdminInbox,
  files: readonly HeldFile[],
): Promise<bigint[]> {
  const { connection } = inbox;
  await ask(connection, FILES);
  return await transaction(inbox, async () => {
    await insertMissing(connection, files);
    const rows = await ask<{ media_id: string }>(
      connection,
      "SELECT media_id FROM admin_file ORDER BY n",
    );
    return rows.map((row) => BigInt(row.media_id));
  });
}

async function insertMissing(connection: Connection, files: readonly HeldFile[]): Promise<number> {
  // Nobody has analyzed tables that are being filled: without this, each look-up reads all of media.
  await ask(connection, "SET LOCAL enable_seqscan = off");
  await ask(connection, FILL, [
    ...columnsOf(files),
    files.map((_, i) => i),
    files.map((file) => claimedId(file)?.toString() ?? null),
    files.map((file) => file.publicName),
    files.map((file) => file.path),
    files.map((file) => file.size),
    files.map((file) => file.writtenAt),
  ]);
  const highest = files.reduce((most, file) => {
    const id = claimedId(file) ?? 0n;
    return id > most ? id : most;
  }, 0n);
  // Before any row gets the next id, which must not be one that a file claims.
  await passId(connection, highest);
  await ask(connection, FIND);
  let made = 0;
  // Each twice: the second time it sees who has got a plain name meanwhile.
  for (const ids of ["own", "own", "new", "new"] as const) {
    const [row] = await ask<{ n: number }>(connection, INSERT(ids));
    made += row?.n ?? 0;
    await ask(connection, FIND);
  }
  return made;
}

/** Has the next upload get an id above this one. */
async function passId(connection: Connection, id: bigint): Promise<void> {
  const isToCome = await ask(connection, `SELECT ${IS_TO_COME}`, [id]);
  if (isToCome.length === 0) return;
  // Of two that do this at once, as for hot and cold, the one with the lower id would set them back.
  await ask(connection, IDS_LOCK);
  await ask(connection, SEQUENCE, [id]);
}
