-- Sees only what this very transaction opened: an unsealed media is never committed.
CREATE OR REPLACE FUNCTION omoide.append_chunk(p_media_id bigint, p_seq int, p_bytes bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_limit omoide.settings;
  v_generation int;
  v_fit boolean;
  v_wrong text;
BEGIN
  SELECT o.generation INTO v_generation FROM omoide.opened o WHERE o.media_id = p_media_id;
  IF NOT FOUND THEN
    v_wrong := format('media %s is not open in this transaction',
      coalesce(p_media_id::text, 'null'));
  ELSIF p_seq IS NULL OR p_seq < 0 THEN
    v_wrong := format('chunk %s: seq counts from 0', coalesce(p_seq::text, 'null'));
  ELSIF p_bytes IS NULL OR octet_length(p_bytes) NOT BETWEEN 1 AND 262144 THEN
    v_wrong := format('chunk %s has %s bytes; each has 262144, only the last may be shorter',
      p_seq, coalesce(octet_length(p_bytes)::text, 'no'));
  ELSE
    SELECT * INTO STRICT v_limit FROM omoide.settings;
    v_fit := omoide.check_room(
      p_seq * 262144::bigint + octet_length(p_bytes), octet_length(p_bytes), v_generation, v_limit
    );
    INSERT INTO omoide.media_chunk (media_id, seq, bytes, generation)
    VALUES (p_media_id, p_seq, p_bytes, v_generation)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN RETURN; END IF;
    v_wrong := format('chunk %s of media %s was appended already', p_seq, p_media_id);
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'OM011', MESSAGE = v_wrong, HINT = 'Nothing was stored.';
END $$;
