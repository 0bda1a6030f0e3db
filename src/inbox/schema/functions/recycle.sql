-- Turns the ring of generations, by any worker: makes an empty one the current one when that is large
-- enough, empties those that nobody waits for, moves what keeps a large one for little. The database alone
-- decides; a worker that calls this at the wrong moment, or never, changes nothing but the files' size.
-- p_thorough: at each sweep. Also takes away the current generation when nobody waits for anything in it, or
-- for little, and looks for what is left in the others. Without it, the cheap part, often while blobs leave.
-- Nobody waits for anybody here: what another transaction has locked is left for the next time.
CREATE OR REPLACE FUNCTION omoide.recycle(p_thorough boolean)
RETURNS TABLE (emptied int, moved_bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
DECLARE
  -- The storage's own right to be here; raises where it has none.
  v_storage constant omoide.storage := omoide.own_storage();
  v_current int;
  v_next int;
  v_empty int;
  v_limit bigint;
  v_is_tight boolean;
  v_files bigint[];
BEGIN
  emptied := 0;
  moved_bytes := 0;
  -- In a snapshot that does not move, what came after it would not be seen.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT t.max_inbox_disk_bytes INTO STRICT v_limit FROM omoide.settings t;
  SELECT c.last_value INTO v_current FROM omoide.current_generation c;
  v_files := omoide.all_file_bytes();
  v_is_tight := (SELECT sum(f) FROM unnest(v_files) AS f) > v_limit / 2;
  SELECT count(*), (array_agg(e.g ORDER BY (e.g - v_current + 16) % 16))[1] INTO v_empty, v_next
  FROM generate_series(0, 15) AS e(g) WHERE e.g <> v_current AND v_files[e.g + 1] = 0;

  IF v_files[v_current + 1] > 0 AND v_empty > 0 AND (
    -- 128 MiB, or an eighth of what the files may have. The last empty one is kept for what follows.
    v_empty > 1 AND v_files[v_current + 1] >= least(128 * 1024 * 1024, v_limit / 8)
    OR p_thorough AND omoide.has_little_left(v_current, v_files[v_current + 1], v_is_tight)
  ) THEN
    PERFORM setval('omoide.current_generation', v_next);
    v_current := v_next;
    UPDATE omoide.generation g SET current_since = now(), live_bytes = NULL, quiet_since = NULL
    WHERE g.id = (
      SELECT f.id FROM omoide.generation f WHERE f.id = v_next FOR UPDATE SKIP LOCKED
    );
  END IF;

  FOR v_generation IN 0 .. 15 LOOP
    CONTINUE WHEN v_generation = v_current OR v_files[v_generation + 1] = 0;
    IF p_thorough AND omoide.has_little_left(v_generation, v_files[v_generation + 1], v_is_tight) THEN
      moved_bytes := moved_bytes + omoide.move_stragglers(v_generation, v_current);
    END IF;
    CONTINUE WHEN omoide.is_waited_for(v_generation);
    IF omoide.empty_generation(v_generation) THEN
      v_files[v_generation + 1] := 0;
      emptied := emptied + 1;
    END IF;
  END LOOP;
  v_files[v_current + 1] := 0;
  PERFORM setval('omoide.closed_file_bytes', (SELECT sum(f) FROM unnest(v_files) AS f)::bigint);
  RETURN NEXT;
END $$;
