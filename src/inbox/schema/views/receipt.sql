-- Receipts as people read them: where each storage has each media.
CREATE OR REPLACE VIEW omoide.receipt AS
SELECT s.name AS storage, r.media_id, m.owner_uuid, m.item_uuid,
  m.media_type::text AS media_type, m.ext,
  coalesce(
    r.path,
    omoide.public_path(m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, m.has_plain_name,
      s.prefix_size)
  ) AS path,
  m.size, m.sha256, r.outcome::text AS outcome, r.stored_at
FROM omoide.stored r
JOIN omoide.storage s ON s.id = r.storage_id
JOIN omoide.media m ON m.id = r.media_id;
