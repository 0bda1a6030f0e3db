-- Counts one attempt before it is made; once per worker's life (what take_storage() gave it), so that a worker
-- which pauses and goes on doesn't use them up.
CREATE OR REPLACE FUNCTION omoide.start_attempt(p_ids bigint[], p_life bigint)
RETURNS SETOF bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  UPDATE omoide.delivery d
  SET parked_at = now(), last_error = left(
    format('the worker died %s times while storing this media', d.attempts)
      || coalesce('; before that: ' || d.last_error, ''), 2000)
  WHERE d.storage_id = v_id AND d.media_id = ANY (p_ids) AND d.parked_at IS NULL
    AND d.attempts >= 6 AND d.started_in_life IS DISTINCT FROM p_life;
  RETURN QUERY
  UPDATE omoide.delivery d
  SET attempts = d.attempts + (d.started_in_life IS DISTINCT FROM p_life)::int,
    started_in_life = p_life
  WHERE d.storage_id = v_id AND d.media_id = ANY (p_ids) AND d.parked_at IS NULL
  RETURNING d.media_id;
END $$;
