-- A worker that stands by must not hide the state of the one that works, nor that it has died: its beat
-- is kept apart.
CREATE OR REPLACE FUNCTION omoide.heartbeat(
  p_version text, p_started_at timestamptz, p_state text, p_reason text,
  p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint,
  p_stored_media bigint, p_stored_bytes bigint, p_last_error text
)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
  v_before omoide.worker;
BEGIN
  -- Not waited for until it is on the disk. Everybody sees it at once, also when the worker dies at the next
  -- moment; a crash of the server takes back what was said in its last 0.6 s. An upload that is met at rest has
  -- two of these of each worker on its way: it waited for the first one's flush, and for its own behind others'.
  IF current_setting('synchronous_commit') = 'on' THEN
    PERFORM set_config('synchronous_commit', 'off', true);
  END IF;
  IF p_state = 'standby' THEN
    INSERT INTO omoide.worker AS w (storage_id, state, standby_seen_at)
    VALUES (v_id, 'standby', now())
    ON CONFLICT (storage_id) DO UPDATE SET standby_seen_at = now();
    RETURN;
  END IF;
  -- Its counts are of this process: another one's begin again.
  SELECT * INTO v_before FROM omoide.worker w
  WHERE w.storage_id = v_id AND w.started_at = p_started_at;
  INSERT INTO omoide.worker AS w (
    storage_id, version, started_at, seen_at, state, reason, free_bytes, total_bytes,
    free_inodes, total_inodes, stored_media, stored_bytes, last_error
  ) VALUES (
    v_id, left(p_version, 100), p_started_at, now(), p_state, left(p_reason, 2000), p_free_bytes,
    p_total_bytes, p_free_inodes, p_total_inodes, p_stored_media, p_stored_bytes,
    left(p_last_error, 2000)
  )
  ON CONFLICT (storage_id) DO UPDATE SET (
    version, started_at, seen_at, state, reason, free_bytes, total_bytes,
    free_inodes, total_inodes, stored_media, stored_bytes, last_error
  ) = (
    excluded.version, excluded.started_at, excluded.seen_at, excluded.state, excluded.reason,
    excluded.free_bytes, excluded.total_bytes, excluded.free_inodes, excluded.total_inodes,
    excluded.stored_media, excluded.stored_bytes, excluded.last_error
  );
  PERFORM omoide.measure(
    v_id, p_stored_media - coalesce(v_before.stored_media, 0),
    p_stored_bytes - coalesce(v_before.stored_bytes, 0), p_state, p_free_bytes, p_total_bytes
  );
END $$;
