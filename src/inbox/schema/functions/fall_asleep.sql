-- Says that this worker waits to be notified from now on. False while a transaction has not ended that
-- counted on it to look by itself (owe()), and if something is due already: then it stays awake. What was
-- committed before the lock was taken is seen by the look after it, what comes later notifies. The lock is
-- the session's: it goes with a worker that dies. There is one for each lane, and a submit tries that of its
-- media's lane. One that has seen the storage with another number of lanes notifies nobody: its media is found
-- at the next poll.
CREATE OR REPLACE FUNCTION omoide.fall_asleep(p_lanes int DEFAULT 1, p_mine int[] DEFAULT '{0}')
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  FOR v_n IN 1 .. cardinality(p_mine) LOOP
    IF NOT pg_try_advisory_lock(
      omoide.sleep_lock_class(), omoide.lane_key(v_id, p_lanes, p_mine[v_n])
    ) THEN
      PERFORM omoide.stay_awake(p_lanes, p_mine[: v_n - 1]);
      RETURN false;
    END IF;
  END LOOP;
  -- A statement with a snapshot of its own, taken under the lock. (Under any other level than read committed
  -- it is the transaction's, from before; a worker sets the level.)
  IF EXISTS (SELECT FROM omoide.pending(0, 1024, p_lanes, p_mine)) THEN
    PERFORM omoide.stay_awake(p_lanes, p_mine);
    RETURN false;
  END IF;
  RETURN true;
END $$;
