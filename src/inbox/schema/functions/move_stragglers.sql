-- Moves the little that is still owed in a generation into another; returns how many bytes. Internal.
-- It stops at 64 MiB: mostly less than a second. Rows are copied, and the generation of
-- their media or upload changed, in one transaction, so any snapshot sees its chunks once, where its row says
-- they are. A reader that asked before and reads after finds nothing, and asks again where they are (locate()).
-- What another transaction is about to release, to move or to add to is left to it.
CREATE OR REPLACE FUNCTION omoide.move_stragglers(p_from int, p_to int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  c_most constant bigint := 64 * 1024 * 1024;
  v_id bigint;
  v_bytes bigint;
  v_moved bigint := 0;
BEGIN
  FOR v_id IN
    SELECT w.media_id FROM omoide.waiting w WHERE w.generation = p_from
    ORDER BY w.media_id LIMIT 1024 FOR UPDATE SKIP LOCKED
  LOOP
    EXIT WHEN v_moved >= c_most;
    v_bytes := omoide.move_chunks(v_id, p_from, p_to);
    CONTINUE WHEN v_bytes IS NULL;
    UPDATE omoide.waiting w SET generation = p_to WHERE w.media_id = v_id;
    v_moved := v_moved + v_bytes;
  END LOOP;
  FOR v_id IN
    SELECT u.id FROM omoide.upload u
    WHERE u.generation = p_from AND u.media_id IS NULL AND u.chunks > 0
    ORDER BY u.id LIMIT 1024 FOR UPDATE SKIP LOCKED
  LOOP
    EXIT WHEN v_moved >= c_most;
    v_bytes := omoide.move_chunks(v_id, p_from, p_to);
    CONTINUE WHEN v_bytes IS NULL;
    UPDATE omoide.upload u SET generation = p_to WHERE u.id = v_id;
    v_moved := v_moved + v_bytes;
  END LOOP;
  RETURN v_moved;
END $$;
