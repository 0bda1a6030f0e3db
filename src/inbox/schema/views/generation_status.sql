-- The tables that hold the blobs: bytes of each one's files, what is waited for in it (as blobs(), 1,000
-- media at the most, the earliest), how many media and pending uploads those are, and since when the
-- earliest waits. Without the empty ones.
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
CROSS JOIN LATERAL (
  SELECT sum(a.size) AS bytes, count(*) AS media, min(a.sealed_at) AS oldest_sealed_at
  FROM (
    (SELECT least(greatest(w.size, 0), 1099511627776) AS size,
      (SELECT m.sealed_at FROM omoide.media m WHERE m.id = w.media_id) AS sealed_at
    -- Not with =, by which each order by id would do: looking for 1,000 among all that wait took 1 s.
    FROM omoide.waiting w WHERE w.generation BETWEEN g.id AND g.id
    ORDER BY w.generation, w.media_id LIMIT 1000)
    UNION ALL
    SELECT u.chunks * 262144::bigint, NULL FROM omoide.upload u
    WHERE u.generation = g.id AND u.media_id IS NULL AND u.chunks > 0
  ) a
) b
WHERE f.bytes > 0 OR b.media > 0;
