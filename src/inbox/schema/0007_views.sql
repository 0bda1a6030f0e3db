-- What people and monitors read.

CREATE VIEW omoide.receipt AS
SELECT s.name AS storage, r.media_id, m.owner_uuid, m.item_uuid, m.media_type, m.ext,
  coalesce(
    r.path,
    concat_ws('/', m.media_type, m.owner_uuid, left(m.item_uuid::text, s.prefix_size), m.public_name)
  ) AS path,
  m.size, m.sha256, r.outcome, r.stored_at
FROM omoide.stored r
JOIN omoide.storage s ON s.id = r.storage_id
JOIN omoide.media m ON m.id = r.media_id;

-- next_attempt_at is null where nothing has failed: it is due at once.
CREATE VIEW omoide.owed AS
SELECT s.name AS storage, d.media_id, d.attempts,
  nullif(d.next_attempt_at, '-infinity') AS next_attempt_at, d.last_error, d.parked_at
FROM omoide.delivery d
JOIN omoide.storage s ON s.id = d.storage_id;

-- One row per storage, also where no worker has ever been seen.
CREATE VIEW omoide.worker_status AS
SELECT s.name AS storage, w.version, w.state, w.reason, w.seen_at, w.started_at,
  w.free_bytes, w.total_bytes, w.free_inodes, w.total_inodes, w.stored_media, w.stored_bytes,
  w.last_error, w.standby_seen_at, s.required_since, s.retired_at, s.distrusted_at,
  s.distrusted_reason
FROM omoide.storage s
LEFT JOIN omoide.worker w ON w.storage_id = s.id;

-- The inbox against its limits. One row.
CREATE VIEW omoide.inbox_status AS
SELECT
  (SELECT coalesce(sum(l.media), 0) FROM omoide.ledger l
    WHERE l.day = '-infinity' AND l.account = 'ffffffff-ffff-ffff-ffff-ffffffffffff')::bigint
    AS media,
  (SELECT coalesce(sum(l.bytes), 0) FROM omoide.ledger l
    WHERE l.day = '-infinity' AND l.account = 'ffffffff-ffff-ffff-ffff-ffffffffffff')::bigint
    AS bytes,
  t.max_inbox_bytes,
  pg_table_size('omoide.media_chunk'::regclass) AS disk_bytes,
  t.max_inbox_disk_bytes,
  (SELECT m.sealed_at FROM omoide.media m WHERE m.released_at IS NULL AND m.sealed_at IS NOT NULL
    ORDER BY m.id LIMIT 1) AS oldest_sealed_at
FROM omoide.settings t;

-- What each owner has used of today's limits; the nil UUID stands for all owners together.
CREATE VIEW omoide.usage_today AS
SELECT l.account AS owner_uuid, sum(l.bytes)::bigint AS bytes, sum(l.media)::bigint AS media
FROM omoide.ledger l
WHERE l.day = (now() AT TIME ZONE 'UTC')::date
GROUP BY l.account;
