-- Brings the lanes of this session to its share, while it has nothing under way. mine: which they are then; null
-- if the storage has another number of lanes by now, and then all are given back: the session ends, and the
-- worker takes the storage again.
CREATE OR REPLACE FUNCTION omoide.take_lanes(p_lanes int, p_life bigint, p_process uuid)
RETURNS TABLE (mine int[], unclean int[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_storage omoide.storage := omoide.own_storage();
  v_id constant smallint := v_storage.id;
BEGIN
  PERFORM omoide.refuse_distrusted(v_storage);
  PERFORM omoide.lock_lanes(v_id);
  SELECT * INTO STRICT v_storage FROM omoide.storage s WHERE s.id = v_id;
  IF v_storage.lanes <> p_lanes THEN
    PERFORM omoide.give_lanes(v_id, p_lanes, s.held)
    FROM omoide.lane_sessions(v_id) s WHERE s.pid = pg_backend_pid();
    -- Whoever comes next shares with the sessions that are left.
    PERFORM pg_advisory_unlock_shared(omoide.storage_lock_class(), v_id);
    RETURN NEXT;
    RETURN;
  END IF;
  -- Their lanes are there for the next time.
  PERFORM pg_terminate_backend(s.pid, 0) FROM omoide.silent_workers(v_id) AS s (pid);
  RETURN QUERY SELECT l.mine, l.unclean FROM omoide.share_lanes(
    v_id, p_lanes, p_life, p_process, omoide.lane_share(v_id, p_lanes)
  ) l;
END $$;
