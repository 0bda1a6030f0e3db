-- Says what is missing before a media can be sealed, or null. Internal.
-- Lengths come from the TOAST pointers, the bytes are not read.
CREATE OR REPLACE FUNCTION omoide.unfit_to_seal(
  p_media_id bigint, p_generation int, p_size bigint, p_sha256 bytea
)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_chunks bigint;
  v_last int;
  v_bytes bigint;
  v_short int;
  v_sha256 bytea;
BEGIN
  IF p_size IS NULL OR p_size < 0 THEN
    RETURN format('size is %s', coalesce(p_size::text, 'null'));
  ELSIF p_sha256 IS NULL OR octet_length(p_sha256) <> 32 THEN
    RETURN format('sha256 has %s bytes, not 32', coalesce(octet_length(p_sha256)::text, 'no'));
  END IF;
  -- The generation is written in. As a parameter it would, from the sixth call on, be that of a generic
  -- plan, which locks every generation until the transaction ends, and so keeps all from being emptied.
  EXECUTE format(
    'SELECT count(*), coalesce(max(c.seq), -1), coalesce(sum(octet_length(c.bytes)), 0),
      min(c.seq) FILTER (WHERE octet_length(c.bytes) <> 262144)
    FROM omoide.media_chunk_%s c WHERE c.media_id = $1', p_generation
  ) INTO v_chunks, v_last, v_bytes, v_short USING p_media_id;
  IF v_chunks <> v_last + 1 THEN
    RETURN format('%s chunks, but the last is number %s: at least one is missing',
      v_chunks, v_last);
  ELSIF v_short < v_last THEN
    RETURN format('chunk %s is shorter than 262144 bytes and not the last', v_short);
  ELSIF v_bytes <> p_size THEN
    RETURN format('the chunks have %s bytes, not %s', v_bytes, p_size);
  END IF;
  -- The checksum of what is in one chunk costs less than 1 ms; of 1 GiB it would cost seconds, and the
  -- worker checks every byte anyway. So a small media's wrong checksum is refused at once.
  IF v_chunks > 1 THEN RETURN NULL; END IF;
  EXECUTE format(
    'SELECT sha256(c.bytes) FROM omoide.media_chunk_%s c WHERE c.media_id = $1', p_generation
  ) INTO v_sha256 USING p_media_id;
  IF p_sha256 <> coalesce(v_sha256, sha256('')) THEN
    RETURN 'the chunks have another sha256';
  END IF;
  RETURN NULL;
END $$;
