-- Empties a generation, if nobody waits for anything in it and nobody works in it. Internal.
--
-- An uncommitted chunk keeps its transaction's lock on the generation, and a transaction becomes visible
-- before its locks go: so what is not seen by a snapshot that was taken under ACCESS EXCLUSIVE is not
-- there. Under read committed each statement here has its own snapshot, which is why recycle() refuses any
-- other level. Whoever opened a media here and has not appended yet is waited for by nobody: its chunks come
-- after the TRUNCATE.
-- NOWAIT, since whoever waits for such a lock makes all others queue behind it; the time limit is for the
-- TOAST table, which autovacuum may have (against wraparound), and which can't be locked by itself.
CREATE OR REPLACE FUNCTION omoide.empty_generation(p_generation int)
RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
BEGIN
  EXECUTE format('LOCK TABLE omoide.media_chunk_%s IN ACCESS EXCLUSIVE MODE NOWAIT', p_generation);
  IF omoide.is_waited_for(p_generation) THEN
    -- Undoes the lock.
    RAISE lock_not_available;
  END IF;
  EXECUTE format('TRUNCATE omoide.media_chunk_%s', p_generation);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;
