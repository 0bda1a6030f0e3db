-- How each storage has been, for charts: by the minute for two days, by the hour for a year.
CREATE OR REPLACE VIEW omoide.history AS
SELECT s.name AS storage, h.span, h.at, h.stored_media, h.stored_bytes, h.owed, h.oldest_sealed_at,
  h.state, h.free_bytes, h.total_bytes
FROM omoide.measurement h JOIN omoide.storage s ON s.id = h.storage_id
WHERE s.retired_at IS NULL;
