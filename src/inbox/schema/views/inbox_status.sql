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
  pg_table_size('omoide.media_chunk'::regclass) AS disk_bytes,
  t.max_inbox_disk_bytes,
  (SELECT m.sealed_at FROM omoide.media m WHERE m.released_at IS NULL AND m.sealed_at IS NOT NULL
    ORDER BY m.id LIMIT 1) AS oldest_sealed_at
FROM omoide.settings t;
