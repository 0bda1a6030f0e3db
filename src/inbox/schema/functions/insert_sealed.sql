-- The row of a media that is sealed as it is made, under the id that its chunks have. Internal.
-- ON CONFLICT and not an exception block as in seal_media: a subtransaction for each submit.
CREATE OR REPLACE FUNCTION omoide.insert_sealed(
  p_id bigint, p_generation int, p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_size bigint,
  p_sha256 bytea
)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO omoide.media
    (id, generation, owner_uuid, item_uuid, media_type, ext, size, sha256, sealed_at, holds_name,
      public_name)
  OVERRIDING SYSTEM VALUE VALUES
    (p_id, p_generation, p_owner, p_item, p_media_type, p_ext, p_size, p_sha256, now(), true,
      p_item::text || '.' || p_ext)
  ON CONFLICT (owner_uuid, item_uuid, media_type, ext) WHERE holds_name DO NOTHING;
  IF NOT FOUND THEN
    INSERT INTO omoide.media
      (id, generation, owner_uuid, item_uuid, media_type, ext, size, sha256, sealed_at, public_name)
    OVERRIDING SYSTEM VALUE VALUES
      (p_id, p_generation, p_owner, p_item, p_media_type, p_ext, p_size, p_sha256, now(),
        omoide.public_name(p_item, p_ext, p_sha256,
          omoide.name_holder(p_owner, p_item, p_media_type, p_ext)));
  END IF;
  RETURN true;
END $$;
