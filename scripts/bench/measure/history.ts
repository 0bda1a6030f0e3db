/** An inbox through which millions of media have gone, inserted directly: a million submits take all day. */
import type { Connection } from "../../../src/inbox/connect.ts";
import { foldHoldings } from "../../../src/inbox/admin/counters.ts";

/** Rows of one statement. */
const PART = 250_000;

/**
 * Fills an inbox with media that both storages have and that have left, and after them some that are owed to
 * both. An item is three files, and an owner has a hundred items. Without triggers, and the indexes of names
 * are made after it: otherwise ten million would take an hour.
 */
export async function fillHistory(
  connection: Connection,
  history: number,
  owed: number,
): Promise<void> {
  await connection.query("SET session_replication_role = replica; SET synchronous_commit = off");
  const { rows: indexes } = await connection.query<{ name: string; definition: string }>(
    `SELECT indexname AS name, indexdef AS definition FROM pg_indexes
    WHERE schemaname = 'omoide' AND tablename = 'media' AND indexname <> 'media_pkey'`,
  );
  for (const { name } of indexes) await connection.query(`DROP INDEX omoide.${name}`);
  for (let from = 1; from <= history; from += PART) {
    const to = Math.min(history, from + PART - 1);
    await connection.query(MEDIA, [from, to]);
    await connection.query(RECEIPTS, [from, to]);
  }
  if (owed > 0) {
    await connection.query(MEDIA, [history + 1, history + owed]);
    await connection.query(WAITING, [history + 1, history + owed]);
  }
  for (const { definition } of indexes) await connection.query(definition);
  await connection.query("SET session_replication_role = origin");
  await connection.query(OWED);
  await connection.query(
    "SELECT setval('omoide.media_id_seq', greatest(1, (SELECT max(id) FROM omoide.media)))",
  );
  await connection.query(
    "INSERT INTO omoide.holding_mark SELECT DISTINCT id >> 12 FROM omoide.media",
  );
  await age(connection);
}

/**
 * As if what was filled in had been there for long. Until the next checkpoint the first change of each page is
 * written to the WAL as a whole page, blocks are counted again, and a worker of a storage that was registered less
 * than an hour ago looks at all that waits at each sweep: with 100,000 owed that is up to two seconds.
 */
export async function age(connection: Connection): Promise<void> {
  await foldHoldings(connection);
  await connection.query("UPDATE omoide.storage SET required_since = now() - interval '1 day'");
  await connection.query("VACUUM (ANALYZE)");
  await connection.query("CHECKPOINT");
}

const MEDIA = `
  INSERT INTO omoide.media (id, owner_uuid, item_uuid, media_type, ext, size, sha256, has_plain_name,
    holds_name, sealed_at)
  OVERRIDING SYSTEM VALUE
  SELECT g, md5('o' || g / 300)::uuid, i.item,
    (ARRAY['content', 'preview', 'thumbnail']::omoide.media_type[])[1 + g % 3], 'jpg', 2000 + g % 10000,
    sha256(g::text::bytea), true, true, now()
  FROM generate_series($1::bigint, $2::bigint) g, LATERAL (SELECT md5('i' || g / 3)::uuid AS item) i`;

const WAITING = `
  INSERT INTO omoide.waiting (media_id, size, generation)
  SELECT g, 2000 + g % 10000, 0 FROM generate_series($1::bigint, $2::bigint) g`;

const RECEIPTS = `
  INSERT INTO omoide.stored (storage_id, media_id, outcome)
  SELECT s.id, g, 'stored' FROM omoide.storage s, generate_series($1::bigint, $2::bigint) g`;

const OWED = `
  WITH owed AS (
    INSERT INTO omoide.delivery (storage_id, media_id, size)
    SELECT s.id, w.media_id, w.size FROM omoide.storage s, omoide.waiting w
  )
  INSERT INTO omoide.ledger (day, account, bytes, media)
  SELECT '-infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', sum(size), count(*) FROM omoide.waiting
  HAVING count(*) > 0`;
