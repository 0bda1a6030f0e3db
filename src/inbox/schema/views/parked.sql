-- What workers have given up on. Names and the reason, no bytes.
CREATE OR REPLACE VIEW omoide.parked AS
SELECT d.media_id, s.name AS storage, m.owner_uuid, m.item_uuid,
  m.media_type::text AS media_type, m.ext, m.size,
  d.attempts, d.last_error, d.parked_at
FROM omoide.delivery d
JOIN omoide.storage s ON s.id = d.storage_id
JOIN omoide.media m ON m.id = d.media_id
WHERE d.parked_at IS NOT NULL;
