-- Adds what a heartbeat says to the present minute and hour. The numbers are the worker's word: bounded, so
-- that no sum overflows. Internal.
CREATE OR REPLACE FUNCTION omoide.measure(
  p_storage smallint, p_media bigint, p_bytes bigint, p_state text, p_free bigint, p_total bigint
)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_media constant bigint := least(greatest(p_media, 0), 1000000000);
  v_bytes constant bigint := least(greatest(p_bytes, 0), 1099511627776);
BEGIN
  INSERT INTO omoide.measurement AS h
    (storage_id, span, at, stored_media, stored_bytes, state, free_bytes, total_bytes)
  SELECT p_storage, b.span, date_bin(b.width, now(), '2000-01-01 00:00Z'), v_media, v_bytes, p_state,
    p_free, p_total
  FROM (VALUES ('minute', interval '1 minute'), ('hour', interval '1 hour')) AS b (span, width)
  ON CONFLICT (storage_id, span, at) DO UPDATE SET
    stored_media = h.stored_media + excluded.stored_media,
    stored_bytes = h.stored_bytes + excluded.stored_bytes, state = excluded.state,
    free_bytes = coalesce(excluded.free_bytes, h.free_bytes),
    total_bytes = coalesce(excluded.total_bytes, h.total_bytes);
  RETURN true;
END $$;
