-- The tables that hold the blobs: bytes of each one's files, of what is waited for in it, how many media and
-- pending uploads those are (as blobs()), and since when the earliest media waits. Without the empty ones.
CREATE OR REPLACE VIEW omoide.generation_status AS
SELECT g.id AS generation, g.id = c.last_value AS is_current, f.bytes AS file_bytes,
  coalesce(b.bytes, 0)::bigint AS live_bytes, coalesce(b.media, 0) AS waiting, b.oldest_sealed_at,
  g.current_since
FROM omoide.generation g
CROSS JOIN omoide.current_generation c
CROSS JOIN LATERAL (
  -- As file_bytes(), which whoever asks this may not call.
  SELECT greatest(0, pg_table_size(('omoide.media_chunk_' || g.id)::regclass) - 8192) AS bytes
) f
LEFT JOIN (
  SELECT a.generation, sum(a.size) AS bytes, count(*) AS media, min(a.sealed_at) AS oldest_sealed_at
  FROM (
    SELECT m.generation, least(greatest(m.size, 0), 1099511627776) AS size, m.sealed_at
    FROM omoide.media m WHERE m.released_at IS NULL
    UNION ALL
    SELECT u.generation, u.chunks * 262144::bigint, NULL FROM omoide.upload u
    WHERE u.media_id IS NULL AND u.chunks > 0
  ) a GROUP BY a.generation
) b ON b.generation = g.id
WHERE f.bytes > 0 OR b.media > 0;
