-- The other sessions of a storage that have not been heard of for a minute, six times as long as they may be
-- silent: stopped, or out of reach without their connection having ended. Their lanes, or those that are kept free
-- for one that has none yet, would be carried by nobody. Whoever finds one ends its session. A worker that lives
-- finds that out, and comes back. Internal.
-- One that has lanes beats in their rows. One that has none asks every second whether it may take some.
CREATE OR REPLACE FUNCTION omoide.silent_workers(p_storage smallint)
RETURNS SETOF int LANGUAGE sql ROWS 1 AS $$
  SELECT l.pid FROM omoide.lane_sessions(p_storage) l
  WHERE l.pid <> pg_backend_pid() AND CASE
    WHEN cardinality(l.held) > 0 THEN EXISTS (
      SELECT FROM omoide.worker w
      WHERE w.storage_id = p_storage AND w.lane = ANY (l.held) AND w.seen_at < now() - interval '1 minute'
    )
    ELSE EXISTS (
      SELECT FROM pg_stat_activity a WHERE a.pid = l.pid AND a.state_change < now() - interval '1 minute'
    )
  END
$$;
