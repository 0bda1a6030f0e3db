-- Where a media is in a storage's tree, relative to its root, unless its receipt says otherwise; as
-- src/storage/layout.ts makes it. Internal.
CREATE OR REPLACE FUNCTION omoide.public_path(
  p_media_type text, p_owner uuid, p_item uuid, p_public_name text, p_prefix_size int
)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT p_media_type || '/' || p_owner::text || '/' || left(p_item::text, p_prefix_size) || '/'
    || p_public_name
$$;
