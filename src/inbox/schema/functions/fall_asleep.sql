-- Says that this worker waits to be notified from now on. False while a transaction has not ended that
-- counted on it to look by itself (owe()), and if something is due already: then it stays awake. What was
-- committed before the lock was taken is seen by the look after it, what comes later notifies. The lock is
-- the session's: it goes with a worker that dies.
CREATE OR REPLACE FUNCTION omoide.fall_asleep()
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  IF NOT pg_try_advisory_lock(omoide.sleep_lock_class(), v_id) THEN RETURN false; END IF;
  -- A statement with a snapshot of its own, taken under the lock. (Under any other level than read committed
  -- it is the transaction's, from before; a worker sets the level.)
  IF EXISTS (SELECT FROM omoide.pending(0, 1024)) THEN
    PERFORM pg_advisory_unlock(omoide.sleep_lock_class(), v_id);
    RETURN false;
  END IF;
  RETURN true;
END $$;
