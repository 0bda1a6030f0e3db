-- 5 s, 20 s, 80 s, 320 s, 1,280 s; parked at the sixth failure, half an hour after the first.
CREATE OR REPLACE FUNCTION omoide.report_failure(p_id bigint, p_error text, p_final boolean)
RETURNS TABLE (attempts int, parked boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  RETURN QUERY
  UPDATE omoide.delivery d
  SET attempts = t.attempts,
    started_in_life = NULL,
    last_error = left(coalesce(p_error, 'no error given'), 2000),
    next_attempt_at = now()
      + least(interval '5 seconds' * power(4, least(t.attempts, 10) - 1), interval '1 hour'),
    parked_at = CASE WHEN t.attempts >= 6 OR p_final THEN now() END
  FROM (
    SELECT q.storage_id, q.media_id, q.attempts + (q.started_in_life IS NULL)::int AS attempts
    FROM omoide.delivery q
    WHERE q.storage_id = v_id AND q.media_id = p_id AND q.parked_at IS NULL
    FOR UPDATE
  ) t
  WHERE d.storage_id = t.storage_id AND d.media_id = t.media_id
  RETURNING d.attempts, d.parked_at IS NOT NULL;
END $$;
