-- Each storage, what is owed to it, and its worker, for `inbox status`. One row per storage. Costs the same
-- whatever was ever stored, and whatever is owed.
CREATE OR REPLACE VIEW omoide.storage_status AS
SELECT s.id, s.name AS storage, s.identity, s.retired_at, s.distrusted_reason,
  -- The last receipt is one of the highest ids: no index on stored_at, which nothing else would use.
  (SELECT max(l.stored_at) FROM (
    SELECT r.stored_at FROM omoide.stored r WHERE r.storage_id = s.id
    ORDER BY r.storage_id DESC, r.media_id DESC LIMIT 1000) l) AS last_receipt_at,
  coalesce(o.owed, 0)::bigint AS owed, coalesce(o.bytes, 0)::bigint AS owed_bytes,
  -- Sealed first is nearly always opened first: an upload that took a week is not.
  (SELECT min(m.sealed_at) FROM (
    SELECT d.media_id FROM omoide.delivery d WHERE d.storage_id = s.id
    ORDER BY d.storage_id, d.media_id LIMIT 100
  ) f
  JOIN omoide.waiting a ON a.media_id = f.media_id JOIN omoide.media m ON m.id = f.media_id) AS oldest_sealed_at,
  (SELECT count(*) FROM omoide.delivery d
    WHERE d.storage_id = s.id AND d.attempts > 0 AND d.parked_at IS NULL) AS failing,
  (SELECT count(*) FROM omoide.delivery d
    WHERE d.storage_id = s.id AND d.parked_at IS NOT NULL) AS parked,
  w.state, w.reason, w.version, w.seen_at, f.standby_seen_at, w.free_bytes, w.total_bytes,
  w.free_inodes, w.total_inodes, w.last_error, s.required_since
FROM omoide.storage s
LEFT JOIN LATERAL omoide.storage_worker(s.id) w ON true
LEFT JOIN omoide.worker f ON f.storage_id = s.id AND f.lane = 0
LEFT JOIN (
  SELECT c.storage_id, sum(c.media) AS owed, sum(c.bytes) AS bytes
  FROM omoide.owed_change c GROUP BY c.storage_id
) o ON o.storage_id = s.id;
