-- Findings of the session's storage that are open, for another look at each, oldest first.
CREATE OR REPLACE FUNCTION omoide.open_findings(p_depth text, p_after bigint, p_limit int)
RETURNS TABLE (id bigint, kind text, path text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_id constant smallint := (omoide.scrub_storage()).id;
BEGIN
  RETURN QUERY SELECT f.id, f.kind, f.path FROM omoide.found f
  WHERE f.storage_id = v_id AND f.depth = p_depth AND f.closed_at IS NULL AND f.id > p_after
  ORDER BY f.id LIMIT least(p_limit, 1000);
END $$;
