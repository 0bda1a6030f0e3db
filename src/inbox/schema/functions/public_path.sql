-- Where a media is in a storage's tree, relative to its root, unless its receipt says otherwise; as
-- src/storage/layout.ts makes it. Internal.
CREATE OR REPLACE FUNCTION omoide.public_path(
  p_media_type omoide.media_type, p_owner uuid, p_item uuid, p_ext text, p_sha256 bytea, p_is_plain boolean,
  p_prefix_size int
)
RETURNS text LANGUAGE sql STABLE AS $$
  SELECT p_media_type::text || '/' || p_owner::text || '/' || left(p_item::text, p_prefix_size) || '/'
    || omoide.public_name(p_item, p_ext, p_sha256, p_is_plain)
$$;
