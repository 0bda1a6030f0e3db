-- Keeps what a look has found, each once for as long as it is open. A finding that goes by a receipt counts
-- only while there is that receipt: an administrator may have purged the file meanwhile. More than 10,000
-- open ones of a storage are only counted, so that a lost directory of millions does not fill the database.
-- The scrub calls advance_look() in the same statement: what counts is behind the place it has reached, and is
-- not counted a second time.
CREATE OR REPLACE FUNCTION omoide.report_findings(
  p_depth text, p_kinds text[], p_paths text[], p_details text[], p_media_ids bigint[]
)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
DECLARE
  v_id constant smallint := (omoide.scrub_storage()).id;
  v_counted bigint;
BEGIN
  v_counted := omoide.keep_findings(v_id, p_depth, p_kinds, p_paths, p_details, p_media_ids);
  UPDATE omoide.look l SET findings = l.findings + v_counted
  WHERE l.storage_id = v_id AND l.depth = p_depth AND l.started_at IS NOT NULL;
  RETURN v_counted;
END $$;
