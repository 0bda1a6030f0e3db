-- Two media of one item and ext share the usual name only with the same bytes. Internal.
CREATE OR REPLACE FUNCTION omoide.public_name(p_item uuid, p_ext text, p_sha256 bytea, p_holder bytea)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_sha256 = p_holder THEN p_item::text || '.' || p_ext
    ELSE p_item::text || '~' || encode(p_sha256, 'hex') || '.' || p_ext END
$$;
