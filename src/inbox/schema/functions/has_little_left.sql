-- Whether a generation of this many bytes is worth giving up for the little that is still owed in it: an
-- eighth, which has not become less for half a minute (what is being drained goes by itself); half of it
-- at once where all files together are near their limit. A small one is not: it would be moved for ever, since
-- a page is more than what is in it. Internal.
CREATE OR REPLACE FUNCTION omoide.has_little_left(p_generation int, p_files bigint, p_tight boolean)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  -- Looking at this many costs 10 ms. More than that is not little.
  c_most constant int := 20000;
  v_media int;
  v_live bigint;
  v_quiet_since timestamptz;
BEGIN
  SELECT count(*), coalesce(sum(l.size), 0) INTO v_media, v_live
  FROM (SELECT b.size FROM omoide.blobs(p_generation) b LIMIT c_most) l;
  IF v_media = 0 THEN RETURN true; END IF;
  UPDATE omoide.generation g SET live_bytes = v_live, quiet_since = now()
  WHERE g.live_bytes IS DISTINCT FROM v_live AND g.id = (
    SELECT f.id FROM omoide.generation f WHERE f.id = p_generation FOR UPDATE SKIP LOCKED
  );
  SELECT g.quiet_since INTO v_quiet_since FROM omoide.generation g WHERE g.id = p_generation;
  RETURN v_media < c_most AND CASE
    WHEN p_tight THEN p_files > 64 * 1024 AND v_live <= p_files / 2
    -- In the future only after the clock was set back.
    ELSE p_files > 1024 * 1024 AND v_live <= p_files / 8
      AND v_quiet_since NOT BETWEEN now() - interval '30 seconds' AND now()
  END;
END $$;
