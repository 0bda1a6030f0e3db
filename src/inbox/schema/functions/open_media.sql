-- Opens a media of the application's transaction, which appends its chunks and seals it.
CREATE OR REPLACE FUNCTION omoide.open_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_limit omoide.settings;
  v_generation int;
  v_fit boolean;
  v_id bigint;
BEGIN
  v_fit := omoide.check_description(p_owner, p_item, p_media_type, p_ext);
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  SELECT c.last_value INTO v_generation FROM omoide.current_generation c;
  v_fit := omoide.check_room(0, 0, v_generation, v_limit);
  v_id := nextval('omoide.media_id_seq');
  INSERT INTO omoide.opened (media_id, owner_uuid, item_uuid, media_type, ext, generation)
  VALUES (v_id, p_owner, p_item, p_media_type, p_ext, v_generation);
  RETURN v_id;
END $$;
