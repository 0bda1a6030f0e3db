-- The row of a media that is sealed as it is made, under the id that its chunks have, and the one that says
-- that it waits. Internal. Neither is ever updated, but for the generation.
-- ON CONFLICT and not an exception block: that would be a subtransaction for each submit.
CREATE OR REPLACE FUNCTION omoide.insert_sealed(
  p_id bigint, p_generation int, p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_size bigint,
  p_sha256 bytea
)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO omoide.media
    (id, size, sealed_at, owner_uuid, item_uuid, holds_name, has_plain_name, media_type, ext, sha256)
  OVERRIDING SYSTEM VALUE VALUES
    (p_id, p_size, now(), p_owner, p_item, true, true, p_media_type::omoide.media_type, p_ext,
      p_sha256)
  ON CONFLICT (owner_uuid, item_uuid, media_type, ext) WHERE holds_name DO NOTHING;
  IF NOT FOUND THEN
    -- Two media of one item and ext share the usual name only with the same bytes.
    INSERT INTO omoide.media
      (id, size, sealed_at, owner_uuid, item_uuid, holds_name, has_plain_name, media_type, ext, sha256)
    OVERRIDING SYSTEM VALUE VALUES
      (p_id, p_size, now(), p_owner, p_item, false,
        p_sha256 = omoide.name_holder(p_owner, p_item, p_media_type, p_ext),
        p_media_type::omoide.media_type, p_ext, p_sha256);
  END IF;
  INSERT INTO omoide.waiting (media_id, size, generation) VALUES (p_id, p_size, p_generation);
  RETURN true;
END $$;
