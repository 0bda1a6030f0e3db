-- Where a pending upload stands; no row if this owner has none of that key (any more).
-- media_id: once it is finished.
CREATE OR REPLACE FUNCTION omoide.find_upload(p_key uuid, p_owner uuid)
RETURNS TABLE (
  item_uuid uuid, media_type text, ext text, size bigint, stored_bytes bigint, hash_state bytea,
  media_id bigint, sha256 bytea, expires_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF EXISTS (
    SELECT FROM omoide.upload u
    WHERE u.key = p_key AND u.owner_uuid = p_owner AND u.media_id IS NOT NULL
  ) THEN
    PERFORM omoide.await_standbys();
  END IF;
  RETURN QUERY SELECT u.item_uuid, u.media_type, u.ext, u.size,
    least(u.chunks * 262144::bigint + octet_length(u.tail), u.size), u.hash_state, u.media_id, m.sha256,
    u.expires_at
  FROM omoide.upload u LEFT JOIN omoide.media m ON m.id = u.media_id
  WHERE u.key = p_key AND u.owner_uuid = p_owner
    AND (u.media_id IS NOT NULL OR u.expires_at > now());
END $$;
