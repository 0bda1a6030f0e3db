-- The look at the session's storage has come to its end.
CREATE OR REPLACE FUNCTION omoide.finish_look(p_depth text, p_files bigint, p_bytes bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.scrub_storage()).id;
BEGIN
  RETURN omoide.end_look(v_id, p_depth, p_files, p_bytes);
END $$;
