-- Refuses a media that cannot become a path. Internal.
CREATE OR REPLACE FUNCTION omoide.check_description(p_owner uuid, p_item uuid, p_media_type text, p_ext text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_wrong text;
BEGIN
  -- The two UUIDs name accounts of the ledger.
  IF p_owner IS NULL OR p_owner IN (
    '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
  ) THEN
    v_wrong := format('owner is %s; give the owner''s UUID', coalesce(p_owner::text, 'null'));
  ELSIF p_item IS NULL THEN
    v_wrong := 'item is null; give the item''s UUID';
  ELSIF p_media_type IS NULL OR p_media_type NOT IN ('content', 'preview', 'thumbnail') THEN
    v_wrong := format('media_type is %s; it must be content, preview or thumbnail',
      coalesce(quote_literal(left(p_media_type, 40)), 'null'));
  ELSIF p_ext IS NULL OR p_ext !~ '^[A-Za-z0-9]{1,16}$' THEN
    v_wrong := format('ext is %s; it must be 1 to 16 letters or digits, without the dot',
      coalesce(quote_literal(left(p_ext, 40)), 'null'));
  ELSE
    RETURN true;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'OM010', MESSAGE = v_wrong, HINT = 'Nothing was stored.';
END $$;
