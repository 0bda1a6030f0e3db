-- next_attempt_at is null if nothing has failed: it is due at once.
CREATE OR REPLACE VIEW omoide.owed AS
SELECT s.name AS storage, d.media_id, d.attempts,
  nullif(d.next_attempt_at, '-infinity') AS next_attempt_at, d.last_error, d.parked_at
FROM omoide.delivery d
JOIN omoide.storage s ON s.id = d.storage_id;
