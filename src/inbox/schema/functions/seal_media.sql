-- Ends a media: checks that it is complete, decides its public name, charges it and owes it to every
-- storage.
CREATE OR REPLACE FUNCTION omoide.seal_media(p_media_id bigint, p_size bigint, p_sha256 bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_media omoide.media;
  v_limit omoide.settings;
  v_fit boolean;
  v_wrong text;
  v_holder bytea;
BEGIN
  SELECT * INTO v_media FROM omoide.media m WHERE m.id = p_media_id;
  IF NOT FOUND THEN
    v_wrong := 'it is not open in this transaction';
  ELSIF v_media.sealed_at IS NOT NULL THEN
    v_wrong := 'it is sealed already';
  ELSE
    v_wrong := omoide.unfit_to_seal(p_media_id, v_media.generation, p_size, p_sha256);
  END IF;
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM011',
      MESSAGE = format('cannot seal media %s: %s', coalesce(p_media_id::text, 'null'), v_wrong),
      HINT = 'Nothing was stored.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_fit := omoide.check_room(p_size, 0, v_media.generation, v_limit);
  BEGIN
    UPDATE omoide.media m
    SET size = p_size, sha256 = p_sha256, sealed_at = now(), holds_name = true,
      public_name = m.item_uuid::text || '.' || m.ext
    WHERE m.id = p_media_id;
  EXCEPTION WHEN unique_violation THEN
    v_holder := omoide.name_holder(
      v_media.owner_uuid, v_media.item_uuid, v_media.media_type, v_media.ext
    );
    UPDATE omoide.media m
    SET size = p_size, sha256 = p_sha256, sealed_at = now(),
      public_name = omoide.public_name(m.item_uuid, m.ext, p_sha256, v_holder)
    WHERE m.id = p_media_id;
  END;
  v_fit := omoide.charge(v_media.owner_uuid, p_size, v_limit, true);
  v_fit := omoide.owe(p_media_id, p_size);
END $$;
