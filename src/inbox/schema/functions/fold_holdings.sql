-- Counts up to p_most marked blocks again, or looks at one that is not marked; returns how many are left. By one
-- session at a time: others do nothing, and return 0. Internal, and the administrator's.
CREATE OR REPLACE FUNCTION omoide.fold_holdings(p_most int)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  v_marked bigint[];
  v_blocks bigint[];
  v_now omoide.holding[];
BEGIN
  -- In a snapshot that does not move, what another has counted meanwhile would not be seen.
  IF current_setting('transaction_isolation') <> 'read committed'
    OR NOT pg_try_advisory_xact_lock(omoide.fold_lock_class(), 0)
  THEN
    RETURN 0;
  END IF;
  v_marked := omoide.marked_blocks();
  v_blocks := v_marked[1:p_most];
  IF cardinality(v_blocks) = 0 THEN
    PERFORM omoide.check_block();
    RETURN 0;
  END IF;
  -- One statement, and so one snapshot: the marks that go are those of changes that are counted.
  WITH unmarked AS (
    DELETE FROM omoide.holding_mark k WHERE k.block = ANY (v_blocks)
  )
  SELECT array_agg(ROW(c.block, c.released, c.holders, c.media, c.bytes, c.suspects)::omoide.holding)
  INTO v_now FROM omoide.count_blocks(v_blocks) c;
  INSERT INTO omoide.holding_total AS t (released, holders, media, bytes)
  SELECT d.released, d.holders, sum(d.media), sum(d.bytes)
  FROM (
    SELECT n.released, n.holders, n.media, n.bytes FROM unnest(v_now) n
    UNION ALL
    SELECT h.released, h.holders, -h.media, -h.bytes FROM omoide.holding h WHERE h.block = ANY (v_blocks)
  ) d
  GROUP BY d.released, d.holders HAVING sum(d.media) <> 0 OR sum(d.bytes) <> 0
  ON CONFLICT (released, holders) DO UPDATE
  SET media = t.media + excluded.media, bytes = t.bytes + excluded.bytes;
  DELETE FROM omoide.holding h WHERE h.block = ANY (v_blocks);
  INSERT INTO omoide.holding SELECT n.* FROM unnest(v_now) n;
  RETURN cardinality(v_marked) - cardinality(v_blocks);
END $$;
