-- Opens a pending upload of `p_size` bytes; the same key again gives the same one, whether or not it is
-- finished. Charges the day's limits with all of it, and the inbox with nothing: that would let whoever
-- opens two of 4 GiB close it to others without sending a byte.
-- Each function of an upload is one short statement and holds nothing until the next: a slow client has
-- no transaction, no snapshot and no connection.
CREATE OR REPLACE FUNCTION omoide.open_upload(
  p_key uuid, p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_size bigint
)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_limit omoide.settings;
  v_fit boolean;
  v_id bigint;
  v_opened omoide.upload;
  v_of_owner bigint;
  v_of_all bigint;
  v_generation int;
BEGIN
  v_fit := omoide.check_description(p_owner, p_item, p_media_type, p_ext);
  IF p_key IS NULL OR p_size IS NULL OR p_size < 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'OM010',
      MESSAGE = format('key is %s and size %s; give a random UUID, and the size in bytes',
        coalesce(p_key::text, 'null'), coalesce(p_size::text, 'null')),
      HINT = 'Nothing was stored.';
  END IF;
  SELECT * INTO v_opened FROM omoide.upload u WHERE u.key = p_key;
  IF NOT FOUND THEN
    SELECT * INTO STRICT v_limit FROM omoide.settings;
    SELECT c.last_value INTO v_generation FROM omoide.current_generation c;
    v_fit := omoide.check_room(p_size, 0, v_generation, v_limit);
    IF p_size > v_limit.max_pending_bytes THEN
      RAISE EXCEPTION USING ERRCODE = 'OM002',
        MESSAGE = format('an upload of %s bytes is too large: pending uploads together may have %s bytes',
          p_size, v_limit.max_pending_bytes),
        HINT = 'Nothing was stored.';
    END IF;
    -- Those that are opening at this moment do not see each other: a few more than the limit can be.
    SELECT count(*) FILTER (WHERE u.owner_uuid = p_owner), count(*) INTO v_of_owner, v_of_all
    FROM omoide.upload u WHERE u.media_id IS NULL AND u.expires_at > now();
    IF v_of_owner >= v_limit.owner_pending_uploads OR v_of_all >= v_limit.all_pending_uploads THEN
      RAISE EXCEPTION USING ERRCODE = 'OM005',
        MESSAGE = format('owner %s has %s pending uploads of at most %s, and all have %s of at most %s',
          p_owner, v_of_owner, v_limit.owner_pending_uploads, v_of_all, v_limit.all_pending_uploads),
        HINT = 'Nothing was stored. Finish or cancel one, or wait until one expires.';
    END IF;
    v_fit := omoide.charge(p_owner, p_size, v_limit, false);
    INSERT INTO omoide.upload (id, key, owner_uuid, item_uuid, media_type, ext, size, day, expires_at)
    VALUES (nextval('omoide.media_id_seq'), p_key, p_owner, p_item, p_media_type, p_ext, p_size,
      (now() AT TIME ZONE 'UTC')::date, now() + least(v_limit.upload_idle, v_limit.upload_age))
    ON CONFLICT (key) DO NOTHING RETURNING id INTO v_id;
    IF FOUND THEN RETURN v_id; END IF;
    -- Opened by another session meanwhile. What was charged here goes with the transaction.
    RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
      MESSAGE = 'another transaction has opened this upload meanwhile', HINT = 'Try again.';
  END IF;
  IF (v_opened.owner_uuid, v_opened.item_uuid, v_opened.media_type, v_opened.ext, v_opened.size)
    IS DISTINCT FROM (p_owner, p_item, p_media_type, p_ext, p_size)
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM010', MESSAGE = 'this key belongs to another upload',
      HINT = 'Nothing was stored. Take a random UUID for each upload.';
  END IF;
  RETURN v_opened.id;
END $$;
