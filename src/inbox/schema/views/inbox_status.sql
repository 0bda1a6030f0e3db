-- The inbox against its limits. One row.
CREATE OR REPLACE VIEW omoide.inbox_status AS
SELECT
  (SELECT coalesce(sum(l.media), 0) FROM omoide.ledger l
    WHERE l.day = '-infinity' AND l.account = 'ffffffff-ffff-ffff-ffff-ffffffffffff')::bigint
    AS media,
  (SELECT coalesce(sum(l.bytes), 0) FROM omoide.ledger l
    WHERE l.day = '-infinity' AND l.account = 'ffffffff-ffff-ffff-ffff-ffffffffffff')::bigint
    AS bytes,
  t.max_inbox_bytes,
  -- As file_bytes(), which whoever asks this may not call.
  (SELECT sum(greatest(0, pg_table_size(i.inhrelid) - 8192)) FROM pg_inherits i
    WHERE i.inhparent = 'omoide.media_chunk'::regclass)::bigint AS disk_bytes,
  t.max_inbox_disk_bytes,
  (SELECT m.sealed_at FROM omoide.media m
    WHERE m.id = (SELECT min(w.media_id) FROM omoide.waiting w)) AS oldest_sealed_at,
  -- Within bytes, but not within media: they are none yet.
  (SELECT count(*) FROM omoide.upload u WHERE u.media_id IS NULL) AS pending_uploads,
  (SELECT coalesce(sum(least(u.chunks * 262144::bigint + octet_length(u.tail), u.size)), 0)
    FROM omoide.upload u WHERE u.media_id IS NULL)::bigint AS pending_bytes,
  t.max_pending_bytes
FROM omoide.settings t;
