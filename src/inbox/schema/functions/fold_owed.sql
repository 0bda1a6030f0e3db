-- Makes one row for each storage of the differences of what is owed, if they are more than a few. Internal.
-- What another session folds at this moment is left to it.
CREATE OR REPLACE FUNCTION omoide.fold_owed()
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  -- As in charge().
  IF current_setting('transaction_isolation') <> 'read committed'
    OR (SELECT count(*) FROM (SELECT FROM omoide.owed_change LIMIT 65) few) < 65
  THEN
    RETURN false;
  END IF;
  WITH gone AS (
    DELETE FROM omoide.owed_change o WHERE o.ctid = ANY (
      ARRAY(SELECT f.ctid FROM omoide.owed_change f FOR UPDATE SKIP LOCKED)
    )
    RETURNING o.storage_id, o.media, o.bytes
  )
  INSERT INTO omoide.owed_change (storage_id, media, bytes)
  SELECT g.storage_id, sum(g.media), sum(g.bytes) FROM gone g GROUP BY g.storage_id
  HAVING sum(g.media) <> 0 OR sum(g.bytes) <> 0;
  RETURN true;
END $$;
