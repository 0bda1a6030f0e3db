-- Merges the differences of what is owed into one row for each storage, if there are more than a few. Internal.
-- By one session at a time, so that no row need be locked: each such lock is 54 bytes of WAL, which for the two
-- of a media was as much as the rows themselves.
CREATE OR REPLACE FUNCTION omoide.fold_owed()
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  -- As in fold_holdings().
  IF current_setting('transaction_isolation') <> 'read committed'
    OR (SELECT count(*) FROM (SELECT FROM omoide.owed_change LIMIT 65) few) < 65
  THEN
    RETURN false;
  END IF;
  IF NOT pg_try_advisory_xact_lock(omoide.fold_lock_class(), 1) THEN RETURN false; END IF;
  -- A statement with a snapshot that was taken under the lock.
  WITH gone AS (
    DELETE FROM omoide.owed_change o RETURNING o.storage_id, o.media, o.bytes
  )
  INSERT INTO omoide.owed_change (storage_id, media, bytes)
  SELECT g.storage_id, sum(g.media), sum(g.bytes) FROM gone g GROUP BY g.storage_id
  HAVING sum(g.media) <> 0 OR sum(g.bytes) <> 0;
  RETURN true;
END $$;
