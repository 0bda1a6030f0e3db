-- Says that this worker looks by itself again, at least once a second: nobody need notify it.
CREATE OR REPLACE FUNCTION omoide.stay_awake(p_lanes int DEFAULT 1, p_mine int[] DEFAULT '{0}')
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  PERFORM pg_advisory_unlock(omoide.sleep_lock_class(), omoide.lane_key(v_id, p_lanes, m.lane))
  FROM unnest(p_mine) AS m (lane);
END $$;
