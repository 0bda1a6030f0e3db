-- Where each file of an owner's items stands; find_media for up to 1,000 items at once, with its path in
-- the storage `p_storage` (null: in the first that is not retired), whether it is there, and why it is parked, if it is. Storages in the order in which they were registered.
CREATE OR REPLACE FUNCTION omoide.where_items(p_owner uuid, p_items uuid[], p_storage text)
RETURNS TABLE (
  item_uuid uuid, media_id bigint, media_type text, ext text, size bigint, sha256 bytea,
  sealed_at timestamptz, released_at timestamptz, path text, is_served boolean, stored_in text[], owed_to text[],
  parked_in text[], parked_reason text
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
  WITH served AS MATERIALIZED (
    SELECT s.id, s.prefix_size FROM omoide.storage s
    WHERE s.name = p_storage OR (p_storage IS NULL AND s.retired_at IS NULL) ORDER BY s.id LIMIT 1
  )
  SELECT m.item_uuid, m.id, m.media_type::text, m.ext, m.size, m.sha256, m.sealed_at,
    CASE WHEN NOT EXISTS (SELECT FROM omoide.waiting w WHERE w.media_id = m.id) THEN coalesce(
      (SELECT max(r.stored_at) FROM omoide.storage s JOIN omoide.stored r ON r.storage_id = s.id
        WHERE r.media_id = m.id), m.sealed_at) END,
    coalesce(
      (SELECT r.path FROM omoide.stored r, served WHERE r.storage_id = served.id AND r.media_id = m.id),
      (SELECT omoide.public_path(m.media_type, p_owner, m.item_uuid, m.ext, m.sha256, m.has_plain_name,
          served.prefix_size)
        FROM served)
    ),
    EXISTS (SELECT FROM omoide.stored r, served WHERE r.storage_id = served.id AND r.media_id = m.id),
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.stored r ON r.storage_id = s.id
      WHERE r.media_id = m.id ORDER BY s.id
    ),
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.delivery d ON d.storage_id = s.id
      WHERE d.media_id = m.id ORDER BY s.id
    ),
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.delivery d ON d.storage_id = s.id
      WHERE d.media_id = m.id AND d.parked_at IS NOT NULL ORDER BY s.id
    ),
    (SELECT d.last_error FROM omoide.delivery d
      WHERE d.media_id = m.id AND d.parked_at IS NOT NULL ORDER BY d.storage_id LIMIT 1)
  FROM unnest(p_items[1:1000]) AS i (uuid)
  CROSS JOIN LATERAL (
    SELECT * FROM omoide.media a
    WHERE a.owner_uuid = p_owner AND a.item_uuid = i.uuid AND a.holds_name
    UNION ALL
    SELECT * FROM omoide.media b
    WHERE b.owner_uuid = p_owner AND b.item_uuid = i.uuid AND NOT b.holds_name
  ) m
  ORDER BY m.id LIMIT 4000
$$;
