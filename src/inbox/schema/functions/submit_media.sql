-- open_media, append_chunk and seal_media in one call, for what fits in memory.
CREATE OR REPLACE FUNCTION omoide.submit_media(
  p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_content bytea
)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_size constant bigint := octet_length(p_content);
  v_limit omoide.settings;
  v_generation int;
  v_fit boolean;
  v_sha256 bytea;
  v_id bigint;
BEGIN
  v_fit := omoide.check_description(p_owner, p_item, p_media_type, p_ext);
  IF p_content IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM010', MESSAGE = 'content is null; an empty one is allowed',
      HINT = 'Nothing was stored.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  SELECT c.last_value INTO v_generation FROM omoide.current_generation c;
  v_fit := omoide.check_room(v_size, v_size, v_generation, v_limit);
  v_sha256 := sha256(p_content);
  v_id := nextval('omoide.media_id_seq');
  v_fit := omoide.insert_sealed(v_id, v_generation, p_owner, p_item, p_media_type, p_ext, v_size,
    v_sha256);
  IF v_size BETWEEN 1 AND 262144 THEN
    INSERT INTO omoide.media_chunk (media_id, seq, bytes, generation)
    VALUES (v_id, 0, p_content, v_generation);
  ELSE
    INSERT INTO omoide.media_chunk (media_id, seq, bytes, generation)
    SELECT v_id, n, substring(p_content FROM n * 262144 + 1 FOR 262144), v_generation
    FROM generate_series(0, ((v_size + 262143) / 262144)::int - 1) AS n;
  END IF;
  v_fit := omoide.charge(p_owner, v_size, v_limit, true);
  v_fit := omoide.owe(v_id, v_size);
  RETURN v_id;
END $$;
