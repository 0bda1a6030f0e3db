-- How many lanes this session should have: as many as every other, and those that are left over go to whoever
-- has the most already, so that none moves without need. 0 if there are more workers than lanes. Internal.
CREATE OR REPLACE FUNCTION omoide.lane_share(p_storage smallint, p_lanes int)
RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RETURN (
    SELECT p_lanes / w.workers + (w.rank <= p_lanes % w.workers)::int
    FROM (
      SELECT s.pid, row_number() OVER (ORDER BY cardinality(s.held) DESC, s.pid)::int AS rank,
        count(*) OVER ()::int AS workers
      FROM omoide.lane_sessions(p_storage) s
    ) w WHERE w.pid = pg_backend_pid()
  );
END $$;
