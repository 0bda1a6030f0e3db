-- Each lane of each storage that has several: who has it, how that worker is, and what is owed in it.
CREATE OR REPLACE VIEW omoide.lane_status AS
SELECT s.name AS storage, n.lane, s.lanes, w.process, w.client, w.state, w.reason, w.version, w.seen_at,
  w.last_error, coalesce(o.owed, 0) AS owed
FROM omoide.storage s
CROSS JOIN LATERAL generate_series(0, s.lanes - 1) AS n (lane)
LEFT JOIN omoide.worker w ON w.storage_id = s.id AND w.lane = n.lane AND w.lanes = s.lanes
LEFT JOIN LATERAL (
  SELECT d.media_id % s.lanes AS lane, count(*) AS owed
  FROM omoide.delivery d WHERE d.storage_id = s.id AND s.lanes > 1 GROUP BY 1
) o ON o.lane = n.lane
WHERE s.retired_at IS NULL AND s.lanes > 1;
