-- Where the chunks of media that are owed to this storage are now: they can be moved between pending() and
-- a COPY. What is not here, or has no row in the answer, is owed no longer.
CREATE OR REPLACE FUNCTION omoide.locate(p_ids bigint[])
RETURNS TABLE (media_id bigint, generation int)
LANGUAGE plpgsql STABLE ROWS 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  RETURN QUERY
  SELECT g.id, w.generation
  FROM unnest(p_ids) AS g(id)
  CROSS JOIN LATERAL (
    SELECT i.generation FROM omoide.waiting i WHERE i.media_id = g.id LIMIT 1
  ) w
  WHERE (
    SELECT true FROM omoide.delivery d
    WHERE d.storage_id = v_id AND d.media_id = g.id AND d.parked_at IS NULL LIMIT 1
  );
END $$;
