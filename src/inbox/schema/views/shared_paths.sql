-- Paths of which one storage has receipts for different bytes, of which at most one can be true: a restored
-- database and trees that know more than it make them. (The same bytes, uploaded twice, share a path.) Only
-- blocks that may have such media are looked through: `suspects` says which, and marked ones may.
CREATE OR REPLACE VIEW omoide.shared_paths AS
SELECT s.name AS storage,
  coalesce(r.path, omoide.public_path(
    m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, m.has_plain_name, s.prefix_size)) AS path,
  array_agg(m.id ORDER BY m.id) AS media_ids
FROM (
  SELECT DISTINCT n.owner_uuid, n.item_uuid
  FROM (
    SELECT h.block FROM omoide.holding h WHERE h.suspects > 0
    UNION SELECT k.block FROM omoide.holding_mark k
  ) b
  CROSS JOIN LATERAL (
    SELECT i.id, i.owner_uuid, i.item_uuid, i.holds_name FROM omoide.media i
    WHERE i.id >= b.block << 12 AND i.id < (b.block + 1) << 12
    ORDER BY i.id LIMIT 4096
  ) n
  WHERE NOT n.holds_name OR (
    SELECT true FROM omoide.stored e WHERE e.media_id = n.id AND e.path IS NOT NULL LIMIT 1
  )
) twice
-- Said twice, since each half is in an index of its own.
CROSS JOIN LATERAL (
  SELECT * FROM omoide.media a
  WHERE a.owner_uuid = twice.owner_uuid AND a.item_uuid = twice.item_uuid AND a.holds_name
  UNION ALL
  SELECT * FROM omoide.media b
  WHERE b.owner_uuid = twice.owner_uuid AND b.item_uuid = twice.item_uuid AND NOT b.holds_name
) m
CROSS JOIN omoide.storage s
CROSS JOIN LATERAL (
  SELECT i.path FROM omoide.stored i WHERE i.storage_id = s.id AND i.media_id = m.id LIMIT 1
) r
GROUP BY 1, 2
HAVING count(DISTINCT m.sha256) > 1;
