-- One row per storage, also if no worker has ever been seen; of several the one that is worst off.
CREATE OR REPLACE VIEW omoide.worker_status AS
SELECT s.name AS storage, w.version, w.state, w.reason, w.seen_at, w.started_at,
  w.free_bytes, w.total_bytes, w.free_inodes, w.total_inodes, w.stored_media, w.stored_bytes,
  w.last_error, f.standby_seen_at, s.required_since, s.retired_at, s.distrusted_at,
  s.distrusted_reason
FROM omoide.storage s
LEFT JOIN LATERAL omoide.storage_worker(s.id) w ON true
LEFT JOIN omoide.worker f ON f.storage_id = s.id AND f.lane = 0;
