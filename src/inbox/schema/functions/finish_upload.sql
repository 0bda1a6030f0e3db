-- Makes a media of a pending upload that has all its bytes, and returns its id. From here on it is
-- submitted: nobody who holds the application's role can change it. Copies nothing, so it takes as long for
-- 4 GiB as for 4 KiB but for a look at each chunk's length. May be called again: the same id.
-- If the item has a media of just these bytes, that is the one (existed), and the upload's chunks go with
-- their generation.
CREATE OR REPLACE FUNCTION omoide.finish_upload(p_key uuid, p_owner uuid, p_sha256 bytea)
RETURNS TABLE (media_id bigint, existed boolean) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_upload omoide.upload := omoide.own_upload(p_key, p_owner);
  v_limit omoide.settings;
  v_wrong text;
  v_id bigint;
  v_done boolean;
BEGIN
  IF v_upload.media_id IS NOT NULL THEN
    IF p_sha256 IS DISTINCT FROM (SELECT m.sha256 FROM omoide.media m WHERE m.id = v_upload.media_id)
    THEN
      v_wrong := 'it is finished already, with another sha256';
    ELSE
      PERFORM omoide.await_standbys();
      RETURN QUERY SELECT v_upload.media_id, v_upload.media_id <> v_upload.id;
      RETURN;
    END IF;
  ELSE
    v_wrong := omoide.unfit_to_seal(v_upload.id, v_upload.generation, v_upload.size, p_sha256);
  END IF;
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM011',
      MESSAGE = format('cannot finish upload %s: %s', p_key, v_wrong),
      HINT = 'Nothing was changed.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_id := omoide.same_media(v_upload.owner_uuid, v_upload.item_uuid, v_upload.media_type, v_upload.ext,
    v_upload.size, p_sha256);
  IF v_id IS NULL THEN
    v_id := v_upload.id;
    PERFORM omoide.insert_sealed(v_id, v_upload.generation, v_upload.owner_uuid, v_upload.item_uuid,
      v_upload.media_type, v_upload.ext, v_upload.size, p_sha256);
    -- Its bytes were charged as they came.
    PERFORM omoide.tally_inbox(0, 1);
    v_done := omoide.owe(v_id, v_upload.size);
  END IF;
  PERFORM omoide.commit_durably();
  UPDATE omoide.upload u
  SET media_id = v_id, touched_at = now(), expires_at = now() + v_limit.upload_idle, hash_state = NULL
  WHERE u.id = v_upload.id;
  RETURN QUERY SELECT v_id, v_id <> v_upload.id;
END $$;
