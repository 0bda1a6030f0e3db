-- Keeps what a worker says of itself, in the row of each lane that this life of it has. Returns how many lanes
-- the storage has now, or 0 once it is distrusted: then all its workers must stop.
-- A worker that has no lane (p_life null, or all given back) must not hide the state of one that works, nor
-- that it has died: its beat is kept apart.
CREATE OR REPLACE FUNCTION omoide.heartbeat(
  p_life bigint, p_version text, p_started_at timestamptz, p_state text, p_reason text,
  p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint,
  p_stored_media bigint, p_stored_bytes bigint, p_last_error text
)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_storage constant omoide.storage := omoide.own_storage();
  v_media bigint;
  v_bytes bigint;
BEGIN
  -- Not waited for until it is on the disk. Everybody sees it at once, also when the worker dies at the next
  -- moment; a crash of the server takes back what was said in its last 0.6 s. An upload that is met at rest has
  -- two of these of each worker on its way: it waited for the first one's flush, and for its own behind others'.
  IF current_setting('synchronous_commit') = 'on' THEN
    PERFORM set_config('synchronous_commit', 'off', true);
  END IF;
  -- What it had stored in this life before.
  SELECT coalesce(max(w.stored_media), 0), coalesce(max(w.stored_bytes), 0) INTO v_media, v_bytes
  FROM omoide.worker w WHERE w.storage_id = v_storage.id AND w.life = p_life;
  UPDATE omoide.worker w SET
    version = left(p_version, 100), started_at = p_started_at, seen_at = now(), state = p_state,
    reason = left(p_reason, 2000), free_bytes = p_free_bytes, total_bytes = p_total_bytes,
    free_inodes = p_free_inodes, total_inodes = p_total_inodes, stored_media = p_stored_media,
    stored_bytes = p_stored_bytes, last_error = left(p_last_error, 2000)
  WHERE w.storage_id = v_storage.id AND w.life = p_life;
  IF FOUND THEN
    PERFORM omoide.measure(v_storage.id, p_stored_media - v_media, p_stored_bytes - v_bytes, p_state,
      p_free_bytes, p_total_bytes);
  ELSE
    INSERT INTO omoide.worker AS w (storage_id, lanes, state, standby_seen_at)
    VALUES (v_storage.id, v_storage.lanes, 'standby', now())
    ON CONFLICT (storage_id, lane) DO UPDATE SET standby_seen_at = now();
  END IF;
  RETURN CASE WHEN v_storage.distrusted_at IS NULL THEN v_storage.lanes ELSE 0 END;
END $$;
