-- Since when a commit of the inbox's roles waits for a synchronous standby, the one that waits for longest; null if
-- none does. That is when its statement began: too early for one that had worked for long, in the milliseconds of
-- its commit.
CREATE OR REPLACE FUNCTION omoide.commit_waits_since()
RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT min(a.query_start) FROM pg_catalog.pg_stat_activity a
  WHERE a.datname = current_database() AND a.wait_event = 'SyncRep'
$$;
