-- Refuses a media of more bytes than one may have, and any more bytes while the chunks' files are too
-- large. Internal.
-- The files' size is asked of the file system, 10 to 20 µs: it is the one number that counts what is
-- uncommitted and what is dead.
CREATE OR REPLACE FUNCTION omoide.check_room(p_size bigint, p_more bigint, p_limit omoide.settings)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_files bigint;
BEGIN
  IF p_size > p_limit.max_media_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM002',
      MESSAGE = format('a media of %s bytes or more is too large: the limit is %s bytes',
        p_size, p_limit.max_media_bytes),
      HINT = 'Nothing was stored.';
  END IF;
  v_files := pg_table_size('omoide.media_chunk'::regclass);
  IF v_files + p_more > p_limit.max_inbox_disk_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: its files have %s of %s bytes',
        v_files, p_limit.max_inbox_disk_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it and autovacuum has come round.';
  END IF;
  RETURN true;
END $$;
