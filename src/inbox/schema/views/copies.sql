-- In how many trusted storages the media are that have left the inbox. One row.
CREATE OR REPLACE VIEW omoide.copies AS
SELECT coalesce(sum(h.media) FILTER (WHERE c.copies = 0), 0)::bigint AS gone,
  coalesce(sum(h.media) FILTER (WHERE c.copies > 0 AND c.copies < t.min_copies), 0)::bigint
    AS under_replicated,
  coalesce(sum(h.media) FILTER (WHERE c.copies >= t.min_copies AND c.copies < c.trusted), 0)::bigint
    AS incomplete
FROM omoide.holdings() h
CROSS JOIN omoide.settings t
CROSS JOIN LATERAL (
  SELECT count(*) AS trusted, count(*) FILTER (WHERE s.id = ANY (h.holders)) AS copies
  FROM omoide.storage s WHERE s.retired_at IS NULL AND s.distrusted_at IS NULL
) c
WHERE h.released;
