-- How many media there are by the storages that have them: those that have left the inbox (released), and
-- those in it that some storage has already. Exact at the moment of the statement: blocks that have changed
-- since they were counted are counted here, 6 ms each, and mostly few.
CREATE OR REPLACE FUNCTION omoide.holdings()
RETURNS TABLE (released boolean, holders smallint[], media bigint, bytes bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_marked constant bigint[] := omoide.marked_blocks();
BEGIN
  RETURN QUERY
  SELECT a.released, a.holders, sum(a.media)::bigint, sum(a.bytes)::bigint
  FROM (
    SELECT t.released, t.holders, t.media, t.bytes FROM omoide.holding_total t
    UNION ALL
    SELECT h.released, h.holders, -h.media, -h.bytes FROM omoide.holding h
    WHERE h.block = ANY (v_marked)
    UNION ALL
    SELECT c.released, c.holders, c.media, c.bytes FROM omoide.count_blocks(v_marked) c
  ) a
  GROUP BY a.released, a.holders HAVING sum(a.media) <> 0 OR sum(a.bytes) <> 0;
END $$;
