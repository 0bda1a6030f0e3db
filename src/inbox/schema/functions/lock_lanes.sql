-- Until the transaction ends nobody else takes or gives a lane of this storage, and their number, if it is read
-- after this, stays. Held for one short statement at a time. Internal.
CREATE OR REPLACE FUNCTION omoide.lock_lanes(p_storage smallint)
RETURNS void LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(omoide.lane_lock_class(), omoide.lane_key(p_storage, 0, 0));
END $$;
