-- Takes back what start_attempt() counted in this worker's life: a full or read-only disk ended the
-- attempt, which says nothing against the media. Without it, `--once` on a timer and a full disk parked
-- after six runs what had failed once before.
CREATE OR REPLACE FUNCTION omoide.cancel_attempt(p_ids bigint[], p_life bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  UPDATE omoide.delivery d SET attempts = d.attempts - 1, started_in_life = NULL
  WHERE d.storage_id = v_id AND d.media_id = ANY (p_ids) AND d.parked_at IS NULL
    AND d.started_in_life = p_life AND d.attempts > 0;
END $$;
