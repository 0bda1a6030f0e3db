-- Refuses a media of more bytes than one may have, and any more bytes while the chunks' files are too
-- large. Internal.
-- The files' size is asked of the file system, 25 µs for a generation: it is the one number that counts
-- what is uncommitted and what is dead. All sixteen would be 0.4 ms, as much as the submit itself, so the
-- others are as recycle() last saw them. Where a media comes late into one that is current no longer, all are
-- measured, and everybody goes by that: transactions kept open for it gain nothing.
CREATE OR REPLACE FUNCTION omoide.check_room(
  p_size bigint, p_more bigint, p_generation int, p_limit omoide.settings
)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_current int;
  v_closed bigint;
  v_each bigint[];
  v_files bigint;
BEGIN
  IF p_size > p_limit.max_media_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM002',
      MESSAGE = format('a media of %s bytes or more is too large: the limit is %s bytes',
        p_size, p_limit.max_media_bytes),
      HINT = 'Nothing was stored.';
  END IF;
  SELECT c.last_value, b.last_value INTO v_current, v_closed
  FROM omoide.current_generation c, omoide.closed_file_bytes b;
  IF p_generation <> v_current THEN
    v_each := omoide.all_file_bytes();
    v_closed := (SELECT sum(e) FROM unnest(v_each) AS e) - v_each[v_current + 1];
    PERFORM setval('omoide.closed_file_bytes', v_closed + p_more);
  END IF;
  v_files := v_closed + omoide.file_bytes(v_current);
  IF v_files + p_more > p_limit.max_inbox_disk_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: its files have %s of %s bytes',
        v_files, p_limit.max_inbox_disk_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it.';
  END IF;
  RETURN true;
END $$;
