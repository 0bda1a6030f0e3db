-- Says how far the look at the session's storage is.
CREATE OR REPLACE FUNCTION omoide.advance_look(
  p_depth text, p_position text, p_files bigint, p_bytes bigint
)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.scrub_storage()).id;
BEGIN
  UPDATE omoide.look l
  SET position = p_position, files = p_files, bytes = p_bytes, seen_at = clock_timestamp()
  WHERE l.storage_id = v_id AND l.depth = p_depth AND l.started_at IS NOT NULL;
END $$;
