-- Whether this database keeps what it commits: until a worker has a media, the inbox is the only copy.
-- One row. The settings are the session's defaults (reset_val): the server's, this database's, this role's.
CREATE OR REPLACE VIEW omoide.durability AS
SELECT
  bool_or(g.reset_val = 'on') FILTER (WHERE g.name = 'fsync') AS fsync,
  bool_or(g.reset_val = 'on') FILTER (WHERE g.name = 'full_page_writes') AS full_page_writes,
  bool_or(g.reset_val = 'on') FILTER (WHERE g.name = 'data_sync_retry') AS data_sync_retry,
  bool_or(g.reset_val = 'on') FILTER (WHERE g.name = 'zero_damaged_pages') AS zero_damaged_pages,
  bool_or(g.reset_val <> 'off') FILTER (WHERE g.name = 'synchronous_commit') AS synchronous_commit,
  bool_or(g.reset_val = 'on') FILTER (WHERE g.name = 'data_checksums') AS data_checksums,
  -- Emptied by every crash.
  ARRAY(
    SELECT c.relname::text FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'omoide'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
      AND c.relpersistence <> 'p'
    ORDER BY c.relname
  ) AS unlogged,
  bool_or(g.reset_val <> '') FILTER (WHERE g.name = 'synchronous_standby_names') AS awaits_standby
FROM pg_catalog.pg_settings g;
