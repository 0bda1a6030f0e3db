-- Ends a look: what it could have found and did not is well again. Returns how many findings it had.
-- Internal.
CREATE OR REPLACE FUNCTION omoide.end_look(
  p_storage smallint, p_depth text, p_files bigint, p_bytes bigint
)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_started timestamptz;
  v_findings bigint;
BEGIN
  UPDATE omoide.look l
  SET started_at = NULL, position = NULL, seen_at = clock_timestamp(), files = 0, bytes = 0,
    findings = 0, last_started_at = l.started_at, finished_at = clock_timestamp(),
    finished_files = p_files, finished_bytes = p_bytes, finished_findings = l.findings
  WHERE l.storage_id = p_storage AND l.depth = p_depth AND l.started_at IS NOT NULL
  RETURNING l.last_started_at, l.finished_findings INTO v_started, v_findings;
  UPDATE omoide.found f SET closed_at = clock_timestamp()
  WHERE f.storage_id = p_storage AND f.depth = p_depth AND f.closed_at IS NULL
    AND f.seen_at < v_started;
  DELETE FROM omoide.found f WHERE f.closed_at < now() - interval '1 year';
  RETURN v_findings;
END $$;
