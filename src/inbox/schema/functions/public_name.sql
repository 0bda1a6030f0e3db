-- A media's public name. Internal.
CREATE OR REPLACE FUNCTION omoide.public_name(p_item uuid, p_ext text, p_sha256 bytea, p_is_plain boolean)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_is_plain THEN p_item::text || '.' || p_ext
    ELSE p_item::text || '~' || encode(p_sha256, 'hex') || '.' || p_ext END
$$;
