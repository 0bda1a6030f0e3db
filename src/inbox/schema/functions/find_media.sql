-- Where each file of an item is. `paths` has the path in each storage that has it, relative to the root:
-- what is served is found there, not under public_name, since a storage that had other bytes of that name
-- already (from before a restore) has the file under another. Earliest first, so that a later upload never
-- takes the place of what was there, and no more than 1,000, so that the answer stays short.
-- released_at: null while its bytes are in the inbox; then the time of its last receipt, with which they might
-- leave. (Where no storage has it any more, when it was sealed.)
CREATE OR REPLACE FUNCTION omoide.find_media(p_owner uuid, p_item uuid)
RETURNS TABLE (
  media_id bigint, media_type text, ext text, public_name text, size bigint, sha256 bytea,
  sealed_at timestamptz, released_at timestamptz, stored_in text[], owed_to text[], paths jsonb
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT m.id, m.media_type::text, m.ext,
    omoide.public_name(m.item_uuid, m.ext, m.sha256, m.has_plain_name), m.size, m.sha256, m.sealed_at,
    CASE WHEN NOT EXISTS (SELECT FROM omoide.waiting w WHERE w.media_id = m.id) THEN coalesce(
      (SELECT max(r.stored_at) FROM omoide.storage s JOIN omoide.stored r ON r.storage_id = s.id
        WHERE r.media_id = m.id), m.sealed_at) END,
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.stored r ON r.storage_id = s.id
      WHERE r.media_id = m.id ORDER BY s.name
    ),
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.delivery d ON d.storage_id = s.id
      WHERE d.media_id = m.id ORDER BY s.name
    ),
    coalesce((
      SELECT jsonb_object_agg(s.name, coalesce(r.path, omoide.public_path(
        m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, m.has_plain_name, s.prefix_size)))
      FROM omoide.storage s JOIN omoide.stored r ON r.storage_id = s.id
      WHERE r.media_id = m.id
    ), '{}')
  FROM (
    SELECT * FROM omoide.media a
    WHERE a.owner_uuid = p_owner AND a.item_uuid = p_item AND a.holds_name
    UNION ALL
    SELECT * FROM omoide.media b
    WHERE b.owner_uuid = p_owner AND b.item_uuid = p_item AND NOT b.holds_name
  ) m
  ORDER BY m.id LIMIT 1000
$$;
