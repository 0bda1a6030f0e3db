-- Another look at these findings of the session's storage has found them well.
CREATE OR REPLACE FUNCTION omoide.close_findings(p_ids bigint[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.scrub_storage()).id;
BEGIN
  UPDATE omoide.found f SET closed_at = clock_timestamp()
  WHERE f.storage_id = v_id AND f.id = ANY (p_ids) AND f.closed_at IS NULL;
END $$;
