-- Repairs which deliveries there are, after two transactions did not see each other; returns how many
-- were added. Internal. Each row is looked up by its index, count(*) keeping the planner from a join: by
-- hash it read all of `stored`, which is kept for good, and on PostgreSQL 15 ended at temp_file_limit.
CREATE OR REPLACE FUNCTION omoide.repair_deliveries(p_storage smallint)
RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
  v_added bigint;
BEGIN
  -- The storage was registered while a seal was uncommitted.
  INSERT INTO omoide.delivery (storage_id, media_id, size)
  SELECT p_storage, w.media_id, w.size FROM omoide.waiting w
  WHERE (
      SELECT count(*) FROM omoide.delivery d WHERE d.storage_id = p_storage AND d.media_id = w.media_id
    ) = 0
    AND (
      SELECT count(*) FROM omoide.stored r WHERE r.storage_id = p_storage AND r.media_id = w.media_id
    ) = 0
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_added = ROW_COUNT;
  -- It was registered while a release was uncommitted: owed, but the bytes are gone.
  DELETE FROM omoide.delivery d
  WHERE d.storage_id = p_storage
    AND (SELECT count(*) FROM omoide.waiting w WHERE w.media_id = d.media_id) = 0
    AND (SELECT count(*) FROM omoide.media m WHERE m.id = d.media_id) = 1;
  -- One was retired while a seal was uncommitted. No worker of it is left to ask.
  DELETE FROM omoide.delivery d WHERE d.ctid = ANY (ARRAY(
    SELECT q.ctid FROM omoide.delivery q
    WHERE q.storage_id = ANY (ARRAY(
      SELECT s.id FROM omoide.storage s WHERE s.retired_at IS NOT NULL
    ))
    LIMIT 10000 FOR UPDATE SKIP LOCKED
  ));
  RETURN v_added;
END $$;
