-- Paths of which one storage has receipts for different bytes, of which at most one can be true: a restored
-- database and trees that know more than it make them. (The same bytes, uploaded twice, share a path.) Only
-- items that have more than the one media that holds its name are looked at, which are few.
CREATE OR REPLACE VIEW omoide.shared_paths AS
SELECT s.name AS storage,
  coalesce(r.path, omoide.public_path(
    m.media_type, m.owner_uuid, m.item_uuid, m.public_name, s.prefix_size)) AS path,
  array_agg(m.id ORDER BY m.id) AS media_ids
FROM (
  SELECT DISTINCT n.owner_uuid, n.item_uuid FROM omoide.media n
  WHERE NOT n.holds_name AND n.sealed_at IS NOT NULL
) twice
JOIN omoide.media m ON m.owner_uuid = twice.owner_uuid AND m.item_uuid = twice.item_uuid
JOIN omoide.stored r ON r.media_id = m.id
JOIN omoide.storage s ON s.id = r.storage_id
GROUP BY 1, 2
HAVING count(DISTINCT m.sha256) > 1;
