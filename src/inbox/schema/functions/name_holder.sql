-- The checksum of the media to which the usual name belongs. Internal.
CREATE OR REPLACE FUNCTION omoide.name_holder(p_owner uuid, p_item uuid, p_media_type text, p_ext text)
RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  v_sha256 bytea;
BEGIN
  SELECT m.sha256 INTO v_sha256 FROM omoide.media m
  WHERE m.owner_uuid = p_owner AND m.item_uuid = p_item AND m.media_type = p_media_type::omoide.media_type
    AND m.ext = p_ext AND m.holds_name;
  IF NOT FOUND THEN
    -- It was committed after this transaction's snapshot was taken.
    RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
      MESSAGE = 'another transaction has sealed a media of this item meanwhile',
      HINT = 'Try the transaction again.';
  END IF;
  RETURN v_sha256;
END $$;
