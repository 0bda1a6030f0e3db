-- Counts one attempt before it is made; once per worker's life, so that a worker which pauses and goes on
-- doesn't use them up.
CREATE OR REPLACE FUNCTION omoide.start_attempt(p_ids bigint[])
RETURNS SETOF bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
  v_life bigint;
BEGIN
  SELECT w.life INTO v_life FROM omoide.worker w WHERE w.storage_id = v_id;
  v_life := coalesce(v_life, 0);
  UPDATE omoide.delivery d
  SET parked_at = now(), last_error = left(
    format('the worker died %s times while storing this media', d.attempts)
      || coalesce('; before that: ' || d.last_error, ''), 2000)
  WHERE d.storage_id = v_id AND d.media_id = ANY (p_ids) AND d.parked_at IS NULL
    AND d.attempts >= 6 AND d.started_in_life IS DISTINCT FROM v_life;
  RETURN QUERY
  UPDATE omoide.delivery d
  SET attempts = d.attempts + (d.started_in_life IS DISTINCT FROM v_life)::int,
    started_in_life = v_life
  WHERE d.storage_id = v_id AND d.media_id = ANY (p_ids) AND d.parked_at IS NULL
  RETURNING d.media_id;
END $$;
