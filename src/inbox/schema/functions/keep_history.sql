-- Adds to a storage's present minute and hour what is owed to it, and takes away those that are too old.
-- Internal.
CREATE OR REPLACE FUNCTION omoide.keep_history(p_storage smallint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_minute constant timestamptz := date_bin('1 minute', now(), '2000-01-01 00:00Z');
  v_hour constant timestamptz := date_bin('1 hour', now(), '2000-01-01 00:00Z');
  v_owed bigint;
  v_oldest timestamptz;
BEGIN
  IF EXISTS (
    SELECT FROM omoide.measurement h
    WHERE h.storage_id = p_storage AND h.span = 'minute' AND h.at = v_minute AND h.owed IS NULL
  ) THEN
    SELECT coalesce(sum(c.media), 0) INTO v_owed FROM omoide.owed_change c WHERE c.storage_id = p_storage;
    -- By its id: sealed first is nearly always opened first.
    SELECT m.sealed_at INTO v_oldest
    FROM (
      SELECT d.media_id FROM omoide.delivery d WHERE d.storage_id = p_storage
      ORDER BY d.storage_id, d.media_id LIMIT 1
    ) f JOIN omoide.media m ON m.id = f.media_id;
    UPDATE omoide.measurement h SET owed = v_owed, oldest_sealed_at = v_oldest
    WHERE h.storage_id = p_storage
      AND (h.span, h.at) IN (('minute', v_minute), ('hour', v_hour));
  END IF;
  -- Those of the future are a clock's that went wrong.
  DELETE FROM omoide.measurement h WHERE h.storage_id = p_storage AND h.span = 'minute'
    AND (h.at < now() - interval '2 days' OR h.at > now() + interval '1 hour');
  DELETE FROM omoide.measurement h WHERE h.storage_id = p_storage AND h.span = 'hour'
    AND (h.at < now() - interval '366 days' OR h.at > now() + interval '1 hour');
  RETURN true;
END $$;
