-- Begins a look at the session's storage; one that was under way is forgotten.
CREATE OR REPLACE FUNCTION omoide.begin_look(p_depth text)
RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.scrub_storage()).id;
  v_now constant timestamptz := clock_timestamp();
BEGIN
  UPDATE omoide.look l
  SET started_at = v_now, position = NULL, seen_at = v_now, files = 0, bytes = 0, findings = 0
  WHERE l.storage_id = v_id AND l.depth = p_depth;
  RETURN v_now;
END $$;
