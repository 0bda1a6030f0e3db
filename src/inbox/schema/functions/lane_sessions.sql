-- The workers' sessions of a storage, as their locks say, and which lanes of how many each has. They are alive:
-- a session's locks end with it. Internal.
CREATE OR REPLACE FUNCTION omoide.lane_sessions(p_storage smallint)
RETURNS TABLE (pid int, lanes int, held int[])
LANGUAGE sql ROWS 10 AS $$
  SELECT l.pid, max(l.objid::bigint >> 8 & 255) FILTER (WHERE l.is_lane)::int,
    coalesce(array_agg((l.objid::bigint & 255)::int ORDER BY l.objid) FILTER (WHERE l.is_lane), '{}')
  FROM (
    SELECT g.pid, g.objid, g.classid = omoide.lane_lock_class()::oid AS is_lane
    FROM pg_locks g
    WHERE g.locktype = 'advisory' AND g.granted AND g.objsubid = 2
      AND g.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND CASE g.classid
        WHEN omoide.storage_lock_class()::oid
          THEN g.objid::bigint = p_storage AND g.mode = 'ShareLock'
        -- Lane 0 of 0 is the lock of lock_lanes().
        WHEN omoide.lane_lock_class()::oid
          THEN g.objid::bigint >> 16 = p_storage AND g.objid::bigint & 65535 > 0
        ELSE false
      END
  ) l
  GROUP BY l.pid
$$;
