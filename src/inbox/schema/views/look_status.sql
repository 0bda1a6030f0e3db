-- When each storage was last looked at and read to its end, and how far the present looks are. One row for
-- each storage and depth, also if nobody has looked yet.
CREATE OR REPLACE VIEW omoide.look_status AS
SELECT s.name AS storage, d.depth, l.started_at, l.seen_at, l.files, l.bytes, l.last_started_at,
  l.finished_at, l.finished_files, l.finished_bytes, l.finished_findings,
  (SELECT count(*) FROM omoide.found f
    WHERE f.storage_id = s.id AND f.depth = d.depth AND f.closed_at IS NULL) AS open_findings
FROM omoide.storage s
CROSS JOIN (VALUES ('shallow'), ('deep')) AS d (depth)
LEFT JOIN omoide.look l ON l.storage_id = s.id AND l.depth = d.depth
WHERE s.retired_at IS NULL;
