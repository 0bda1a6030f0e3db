-- Says that this worker waits to be notified from now on. False while a transaction has not ended that
-- counted on it to look by itself (owe()): then it stays awake. What was committed before this returned true
-- is seen by a statement after it, so the worker looks once more before it waits. The lock is the session's:
-- it goes with a worker that dies.
CREATE OR REPLACE FUNCTION omoide.fall_asleep()
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN pg_try_advisory_lock(omoide.sleep_lock_class(), (omoide.own_storage()).id);
END $$;
