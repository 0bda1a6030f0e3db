-- Which of these public paths, each with the owner and item that it names, the inbox knows in the session's
-- storage: by a receipt, or by a delivery that is being stored just now.
CREATE OR REPLACE FUNCTION omoide.scrub_known(p_paths text[], p_owners uuid[], p_items uuid[])
RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
  v_storage constant omoide.storage := omoide.scrub_storage();
BEGIN
  RETURN QUERY
  SELECT g.path FROM unnest(p_paths, p_owners, p_items) AS g (path, owner, item)
  WHERE (
    SELECT true FROM (
      -- Asked twice, since each half is in an index of its own.
      SELECT * FROM omoide.media a
      WHERE a.owner_uuid = g.owner AND a.item_uuid = g.item AND a.holds_name
      UNION ALL
      SELECT * FROM omoide.media b
      WHERE b.owner_uuid = g.owner AND b.item_uuid = g.item AND NOT b.holds_name
    ) m
    LEFT JOIN LATERAL (
      SELECT i.media_id, i.path FROM omoide.stored i
      WHERE i.storage_id = v_storage.id AND i.media_id = m.id LIMIT 1
    ) r ON true
    LEFT JOIN LATERAL (
      SELECT true AS is_waiting FROM omoide.waiting i WHERE i.media_id = m.id LIMIT 1
    ) w ON true
    WHERE (r.media_id IS NOT NULL AND coalesce(r.path, omoide.public_path(m.media_type, m.owner_uuid,
        m.item_uuid, m.ext, m.sha256, m.has_plain_name, v_storage.prefix_size)) = g.path)
      OR (r.media_id IS NULL AND w.is_waiting AND g.path IN (
        omoide.public_path(m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, m.has_plain_name,
          v_storage.prefix_size),
        omoide.public_path(m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, false,
          v_storage.prefix_size)))
    LIMIT 1
  );
END $$;
