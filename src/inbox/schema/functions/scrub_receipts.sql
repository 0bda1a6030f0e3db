-- The receipts of the session's storage above an id, by id: what its tree must have.
CREATE OR REPLACE FUNCTION omoide.scrub_receipts(p_after bigint, p_limit int)
RETURNS TABLE (media_id bigint, path text, size bigint, sha256 bytea)
LANGUAGE plpgsql STABLE ROWS 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_storage constant omoide.storage := omoide.scrub_storage();
BEGIN
  RETURN QUERY
  SELECT m.id, coalesce(r.path, omoide.public_path(m.media_type, m.owner_uuid, m.item_uuid,
      m.ext, m.sha256, m.has_plain_name, v_storage.prefix_size)), m.size, m.sha256
  FROM (
    SELECT i.media_id, i.path FROM omoide.stored i
    WHERE i.storage_id = v_storage.id AND i.media_id > p_after
    ORDER BY i.media_id LIMIT least(p_limit, 10000)
  ) r
  CROSS JOIN LATERAL (SELECT * FROM omoide.media i WHERE i.id = r.media_id LIMIT 1) m
  ORDER BY r.media_id;
END $$;
