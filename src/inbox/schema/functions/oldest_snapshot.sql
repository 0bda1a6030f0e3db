-- When the oldest transaction of the inbox's roles began that keeps what others have deleted; null if there is
-- none. What others do in this database is not shown to the inbox's owner.
CREATE OR REPLACE FUNCTION omoide.oldest_snapshot()
RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT min(a.xact_start) FROM pg_catalog.pg_stat_activity a
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
$$;
