-- The earliest media of an item that has exactly these bytes, or null. One that is parked anywhere is none:
-- what arrives again may be what it lacks.
CREATE OR REPLACE FUNCTION omoide.same_media(
  p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_size bigint, p_sha256 bytea
)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id bigint;
BEGIN
  SELECT min(m.id) INTO v_id FROM (
    SELECT a.id, a.media_type, a.ext, a.size, a.sha256 FROM omoide.media a
    WHERE a.owner_uuid = p_owner AND a.item_uuid = p_item AND a.holds_name
    UNION ALL
    SELECT b.id, b.media_type, b.ext, b.size, b.sha256 FROM omoide.media b
    WHERE b.owner_uuid = p_owner AND b.item_uuid = p_item AND NOT b.holds_name
  ) m
  WHERE m.media_type::text = p_media_type AND m.ext = p_ext AND m.size = p_size AND m.sha256 = p_sha256
    AND NOT EXISTS (
      SELECT FROM omoide.delivery d WHERE d.media_id = m.id AND d.parked_at IS NOT NULL
    );
  IF v_id IS NOT NULL THEN PERFORM omoide.await_standbys(); END IF;
  RETURN v_id;
END $$;
