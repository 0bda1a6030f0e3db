-- The lane whose worker is worst off: it stands for a storage's workers where one is shown. None if no worker has
-- ever been seen.
CREATE OR REPLACE FUNCTION omoide.storage_worker(p_storage smallint)
RETURNS SETOF omoide.worker LANGUAGE sql STABLE ROWS 1 SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  SELECT w.* FROM omoide.worker w WHERE w.storage_id = p_storage
  ORDER BY
    CASE w.state WHEN 'paused' THEN 0 WHEN 'stopped' THEN 2
      ELSE CASE WHEN w.seen_at < now() - interval '1 minute' THEN 1 ELSE 3 END END,
    w.seen_at
  LIMIT 1
$$;
