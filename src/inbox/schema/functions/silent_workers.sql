-- The other sessions of a storage that have lanes and have not beaten for a minute, six times as long as they
-- may: stopped, or out of reach without their connection having ended. Their lanes would be carried by nobody.
-- Whoever finds one ends its session. A worker that lives finds that out, and comes back. Internal.
CREATE OR REPLACE FUNCTION omoide.silent_workers(p_storage smallint)
RETURNS SETOF int LANGUAGE sql ROWS 1 AS $$
  SELECT DISTINCT l.pid FROM omoide.lane_sessions(p_storage) l
  JOIN omoide.worker w ON w.storage_id = p_storage AND w.lane = ANY (l.held)
  WHERE l.pid <> pg_backend_pid() AND w.seen_at < now() - interval '1 minute'
$$;
