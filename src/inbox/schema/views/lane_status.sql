-- Each lane of each storage that has several: who has it, how that worker is, and how many of the 10,000 media that
-- are owed to the storage for longest (by id) are in it. That says which lane is behind, and takes 10 ms however
-- many are owed (counting 200,000: 130 ms). A counter for each lane would have to be made again when their number
-- changes.
CREATE OR REPLACE VIEW omoide.lane_status AS
SELECT s.name AS storage, n.lane, s.lanes, w.process, w.client, w.state, w.reason, w.version, w.seen_at,
  w.last_error, n.owed
FROM omoide.storage s
-- Once for each storage, and not for each of its lanes.
CROSS JOIN LATERAL (
  SELECT g.lane, count(d.media_id) AS owed
  FROM generate_series(0, s.lanes - 1) AS g (lane)
  LEFT JOIN (
    SELECT q.media_id FROM omoide.delivery q WHERE q.storage_id = s.id
    ORDER BY q.media_id LIMIT 10000
  ) d ON d.media_id % s.lanes = g.lane
  GROUP BY g.lane
) n
LEFT JOIN omoide.worker w ON w.storage_id = s.id AND w.lane = n.lane AND w.lanes = s.lanes
WHERE s.retired_at IS NULL AND s.lanes > 1;
