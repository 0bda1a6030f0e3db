-- Says that this worker looks by itself again, at least once a second: nobody need notify it.
CREATE OR REPLACE FUNCTION omoide.stay_awake()
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_unlock(omoide.sleep_lock_class(), (omoide.own_storage()).id);
END $$;
