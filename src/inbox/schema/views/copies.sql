-- In how many trusted storages the media are that have left the inbox. One row, one pass over all that was
-- ever stored: 2 s for 500,000 media.
CREATE OR REPLACE VIEW omoide.copies AS
SELECT count(*) FILTER (WHERE coalesce(r.copies, 0) = 0) AS gone,
  count(*) FILTER (WHERE r.copies < t.min_copies) AS under_replicated,
  count(*) FILTER (WHERE r.copies >= t.min_copies AND r.copies < (
    SELECT count(*) FROM omoide.storage a WHERE a.retired_at IS NULL AND a.distrusted_at IS NULL
  )) AS incomplete
FROM omoide.settings t, omoide.media m
LEFT JOIN (
  SELECT h.media_id, count(*) AS copies FROM omoide.stored h
  WHERE h.storage_id IN (
    SELECT s.id FROM omoide.storage s WHERE s.retired_at IS NULL AND s.distrusted_at IS NULL)
  GROUP BY h.media_id
) r ON r.media_id = m.id
WHERE m.released_at IS NOT NULL;
