-- Ends a media: checks that it is complete, decides its public name, charges it and owes it to every
-- storage.
CREATE OR REPLACE FUNCTION omoide.seal_media(p_media_id bigint, p_size bigint, p_sha256 bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_open omoide.opened;
  v_limit omoide.settings;
  v_fit boolean;
  v_wrong text;
BEGIN
  SELECT * INTO v_open FROM omoide.opened o WHERE o.media_id = p_media_id;
  IF FOUND THEN
    v_wrong := omoide.unfit_to_seal(p_media_id, v_open.generation, p_size, p_sha256);
  ELSIF EXISTS (SELECT FROM omoide.media m WHERE m.id = p_media_id) THEN
    v_wrong := 'it is sealed already';
  ELSE
    v_wrong := 'it is not open in this transaction';
  END IF;
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM011',
      MESSAGE = format('cannot seal media %s: %s', coalesce(p_media_id::text, 'null'), v_wrong),
      HINT = 'Nothing was stored.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_fit := omoide.check_room(p_size, 0, v_open.generation, v_limit);
  DELETE FROM omoide.opened o WHERE o.media_id = p_media_id;
  v_fit := omoide.insert_sealed(p_media_id, v_open.generation, v_open.owner_uuid, v_open.item_uuid,
    v_open.media_type, v_open.ext, p_size, p_sha256);
  v_fit := omoide.charge(v_open.owner_uuid, p_size, v_limit, true);
  v_fit := omoide.owe(p_media_id, p_size);
END $$;
