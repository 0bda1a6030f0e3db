-- Gives these lanes of this session's back, with nothing under way in them. Under lock_lanes(). Internal.
CREATE OR REPLACE FUNCTION omoide.give_lanes(p_storage smallint, p_lanes int, p_given int[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE omoide.worker w SET life = 0, state = 'stopped', reason = NULL
  WHERE w.storage_id = p_storage AND w.lane = ANY (p_given);
  PERFORM pg_advisory_unlock(omoide.lane_lock_class(), omoide.lane_key(p_storage, p_lanes, g.lane))
  FROM unnest(p_given) AS g (lane);
END $$;
