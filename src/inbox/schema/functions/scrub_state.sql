-- How far the looks at the session's storage are, and whether its worker is storing at this moment.
CREATE OR REPLACE FUNCTION omoide.scrub_state()
RETURNS TABLE (
  depth text, started_at timestamptz, "position" text, files bigint, bytes bigint,
  last_started_at timestamptz, finished_at timestamptz, worker_stores boolean
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_id constant smallint := (omoide.scrub_storage()).id;
BEGIN
  RETURN QUERY
  SELECT l.depth, l.started_at, l.position, l.files, l.bytes, l.last_started_at, l.finished_at,
    EXISTS (
      SELECT FROM omoide.worker w
      WHERE w.storage_id = v_id AND w.state = 'storing' AND w.seen_at > now() - interval '1 minute'
    )
  FROM omoide.look l WHERE l.storage_id = v_id;
END $$;
