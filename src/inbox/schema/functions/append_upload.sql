-- Adds bytes to a pending upload and returns how many it has then. `p_offset` must be how many it had:
-- nobody's word but the recorded one counts. Any number of bytes up to 4 MiB; multiples of 262,144 are
-- cheapest, since what does not fill a chunk is written twice. `p_hash_state` is the caller's own, over all
-- bytes so far.
CREATE OR REPLACE FUNCTION omoide.append_upload(
  p_key uuid, p_owner uuid, p_offset bigint, p_bytes bytea, p_hash_state bytea
)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c_chunk constant int := 262144;
  v_upload omoide.upload := omoide.own_upload(p_key, p_owner);
  v_limit omoide.settings;
  v_fit boolean;
  v_had constant bigint := v_upload.chunks * c_chunk::bigint + octet_length(v_upload.tail);
  v_more constant int := octet_length(p_bytes);
  v_bytes bytea;
  v_whole int;
  v_generation int := v_upload.generation;
BEGIN
  IF v_upload.media_id IS NOT NULL OR p_offset IS DISTINCT FROM v_had THEN
    RAISE EXCEPTION USING ERRCODE = 'OM013',
      MESSAGE = format('upload %s has %s of %s bytes%s; bytes from %s on do not follow', p_key, v_had,
        v_upload.size, CASE WHEN v_upload.media_id IS NULL THEN '' ELSE ' and is finished' END,
        coalesce(p_offset::text, 'null')),
      HINT = 'Nothing was added. Ask find_upload how many bytes it has, and go on there.';
  ELSIF v_more IS NULL OR v_more NOT BETWEEN 1 AND 16 * c_chunk OR v_had + v_more > v_upload.size THEN
    RAISE EXCEPTION USING ERRCODE = 'OM011',
      MESSAGE = format('%s bytes cannot be added to upload %s, which has %s of %s',
        coalesce(v_more::text, 'no'), p_key, v_had, v_upload.size),
      HINT = 'Nothing was added. Give 1 byte to 4 MiB, and no more than the upload was opened for.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  -- Its first chunk decides where all of them are, so that one which is opened and rests keeps nothing.
  IF v_upload.chunks = 0 THEN
    SELECT c.last_value INTO v_generation FROM omoide.current_generation c;
  END IF;
  v_fit := omoide.check_room(v_had + v_more, v_more, v_generation, v_limit);
  v_fit := omoide.check_pending(v_upload, v_limit);
  v_fit := omoide.charge_inbox(v_more, v_limit);
  v_bytes := CASE WHEN v_upload.tail = '' THEN p_bytes ELSE v_upload.tail || p_bytes END;
  -- The last chunk of all may be shorter.
  v_whole := CASE WHEN v_had + v_more = v_upload.size
    THEN (octet_length(v_bytes) + c_chunk - 1) / c_chunk ELSE octet_length(v_bytes) / c_chunk END;
  INSERT INTO omoide.media_chunk (media_id, seq, bytes, generation)
  SELECT v_upload.id, v_upload.chunks + n, substring(v_bytes FROM n * c_chunk + 1 FOR c_chunk), v_generation
  FROM generate_series(0, v_whole - 1) AS n;
  UPDATE omoide.upload u
  SET generation = v_generation, chunks = u.chunks + v_whole, tail = substring(v_bytes FROM v_whole * c_chunk + 1),
    hash_state = p_hash_state, touched_at = now(),
    expires_at = least(now() + v_limit.upload_idle, u.opened_at + v_limit.upload_age)
  WHERE u.id = v_upload.id;
  -- Not waited for until it is on the disk: finishing is, and with it all that came before. A crash of the
  -- server may take back the last bytes with their offset and state, and the client goes on there.
  IF current_setting('synchronous_commit') = 'on' THEN
    PERFORM set_config('synchronous_commit', 'off', true);
  END IF;
  RETURN v_had + v_more;
END $$;
