import type { Connection } from "../../src/inbox/connect.ts";
import { sleep } from "../../src/sleep.ts";
import type { Server } from "./server.ts";

/** 0.1 s each. */
const MOST_TRIES = 600;

/**
 * What a worker's next sweep does, at once instead of within 30 s: empties the generations that nobody waits
 * for, the current one too.
 */
export async function emptyGenerations(server: Server): Promise<void> {
  const worker = await server.connect("bench", "omoide_hot");
  const admin = await server.connect("bench");
  try {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      await worker.query("SELECT omoide.recycle(true)");
      const { rows: [row] } = await admin.query<{ left: string }>(
        "SELECT count(*) AS left FROM omoide.generation_status WHERE file_bytes > 0",
      );
      if (row?.left === "0") return;
      await sleep(100);
    }
    throw new Error("the generations are not emptied although nothing is owed");
  } finally {
    await worker.end();
    await admin.end();
  }
}

/**
 * What autovacuum would come for, done at once: it looks once a minute, so that its work would fall into
 * the bill of whatever happens to be measured then, or behind its end. The same tables by the same
 * thresholds, the same work. Then a checkpoint, which has the files written.
 */
export async function vacuumAndCheckpoint(connection: Connection): Promise<void> {
  // Sessions that have ended have told the statistics what they did; this waits for no other.
  await connection.query("SELECT pg_stat_clear_snapshot()");
  const { rows } = await connection.query<{ name: string; vacuum: boolean; analyze: boolean }>(DUE);
  for (const { name, vacuum, analyze } of rows) {
    if (vacuum) await connection.query(`VACUUM ${name}`);
    if (analyze) await connection.query(`ANALYZE ${name}`);
  }
  await connection.query("CHECKPOINT");
}

/** As relation_needs_vacanalyze() of PostgreSQL decides. A TOAST table's vacuum is its table's here. */
const DUE = `
  WITH setting AS (
    SELECT c.oid, name, coalesce(
      (SELECT option_value FROM pg_options_to_table(c.reloptions) WHERE option_name = name),
      (SELECT option_value FROM pg_options_to_table(p.reloptions) WHERE option_name = name),
      current_setting(name, true)
    ) AS value
    FROM pg_class c LEFT JOIN pg_class p ON p.reltoastrelid = c.oid
    CROSS JOIN unnest(ARRAY['autovacuum_enabled', 'autovacuum_vacuum_threshold',
      'autovacuum_vacuum_scale_factor', 'autovacuum_vacuum_insert_threshold',
      'autovacuum_vacuum_insert_scale_factor', 'autovacuum_analyze_threshold',
      'autovacuum_analyze_scale_factor']) AS name
    WHERE c.relkind IN ('r', 't', 'm')
  ), chosen AS (
    SELECT oid, coalesce(max(value) FILTER (WHERE name = 'autovacuum_enabled'), 'true') AS enabled,
      max(value::float8) FILTER (WHERE name = 'autovacuum_vacuum_threshold') AS dead,
      max(value::float8) FILTER (WHERE name = 'autovacuum_vacuum_scale_factor') AS dead_share,
      max(value::float8) FILTER (WHERE name = 'autovacuum_vacuum_insert_threshold') AS added,
      max(value::float8) FILTER (WHERE name = 'autovacuum_vacuum_insert_scale_factor') AS added_share,
      max(value::float8) FILTER (WHERE name = 'autovacuum_analyze_threshold') AS changed,
      max(value::float8) FILTER (WHERE name = 'autovacuum_analyze_scale_factor') AS changed_share
    FROM (SELECT oid, name, value FROM setting) s GROUP BY oid
  )
  SELECT coalesce(p.oid, c.oid)::regclass::text AS name,
    bool_or(s.n_dead_tup > k.dead + k.dead_share * greatest(c.reltuples, 0)
      OR k.added >= 0
        AND s.n_ins_since_vacuum > k.added + k.added_share * greatest(c.reltuples, 0)) AS vacuum,
    bool_or(c.relkind = 'r'
      AND s.n_mod_since_analyze > k.changed + k.changed_share * greatest(c.reltuples, 0)) AS analyze
  FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid JOIN chosen k ON k.oid = c.oid
  LEFT JOIN pg_class p ON p.reltoastrelid = c.oid
  WHERE k.enabled IN ('true', 'on') AND coalesce(p.relnamespace, c.relnamespace) NOT IN
    ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  GROUP BY 1`;
