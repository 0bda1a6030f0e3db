-- Moves the chunks of one media or upload, whose row the caller has locked and changes then. Returns how many
-- bytes those are; null where the database can't read them: they stay, and keep their generation. Internal.
CREATE OR REPLACE FUNCTION omoide.move_chunks(p_id bigint, p_from int, p_to int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_bytes bigint;
BEGIN
  -- The generation is written in: with a parameter, a generic plan locks all of them (see unfit_to_seal).
  EXECUTE format(
    'INSERT INTO omoide.media_chunk (media_id, seq, bytes, generation)
    SELECT c.media_id, c.seq, c.bytes, %s FROM omoide.media_chunk_%s c WHERE c.media_id = $1',
    p_to, p_from
  ) USING p_id;
  EXECUTE format(
    'WITH gone AS (
      DELETE FROM omoide.media_chunk_%s c WHERE c.media_id = $1 RETURNING octet_length(c.bytes) AS n
    ) SELECT coalesce(sum(n), 0) FROM gone', p_from
  ) INTO v_bytes USING p_id;
  RETURN v_bytes;
EXCEPTION WHEN data_corrupted OR index_corrupted OR internal_error OR io_error OR undefined_file THEN
  RETURN NULL;
END $$;
