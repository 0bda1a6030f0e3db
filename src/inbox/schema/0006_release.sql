-- How a blob leaves the inbox: only when every storage that is required now holds a receipt, no fewer of
-- them than min_copies, nothing of it is still owed to one of them, and none of them is distrusted (a
-- distrusted disk's receipts may be lies; loss is the greater evil).

-- Internal. Says it once, for release() and sweep().
CREATE VIEW omoide.releasable AS
SELECT m.id AS media_id
FROM omoide.media m
WHERE m.sealed_at IS NOT NULL AND m.released_at IS NULL
  AND (SELECT count(*) FROM omoide.storage s WHERE s.retired_at IS NULL)
    >= (SELECT t.min_copies FROM omoide.settings t)
  AND NOT EXISTS (
    SELECT FROM omoide.storage s
    WHERE s.retired_at IS NULL AND (
      s.distrusted_at IS NOT NULL
      OR NOT EXISTS (
        SELECT FROM omoide.stored r WHERE r.storage_id = s.id AND r.media_id = m.id
      )
      OR EXISTS (
        SELECT FROM omoide.delivery d WHERE d.storage_id = s.id AND d.media_id = m.id
      )
    )
  );

-- A later statement than acknowledge(), with a snapshot of its own: of two storages that acknowledge last
-- at the same moment, the one that commits second sees both receipts here. Where both see both, SKIP
-- LOCKED gives the media to one and the other goes on without waiting. Within one transaction with its
-- acknowledge, under repeatable read or serializable, neither might see the other's: then sweep() does it.
-- A serialization failure has changed nothing: the caller tries again, or leaves it to sweep().
CREATE FUNCTION omoide.release(p_ids bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  v_ids bigint[];
  v_bytes bigint;
BEGIN
  PERFORM omoide.own_storage();
  WITH ripe AS MATERIALIZED (
    SELECT m.id FROM omoide.media m
    WHERE m.id = ANY (p_ids)
      -- Said here too: after waiting for nothing but a commit, only the row itself is read again.
      AND m.released_at IS NULL
      AND EXISTS (SELECT FROM omoide.releasable r WHERE r.media_id = m.id)
    FOR UPDATE SKIP LOCKED
  ), gone AS (
    UPDATE omoide.media m SET released_at = now() FROM ripe
    WHERE m.id = ripe.id RETURNING m.id, m.size
  )
  SELECT array_agg(g.id), sum(g.size) INTO v_ids, v_bytes FROM gone g;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  DELETE FROM omoide.media_chunk c WHERE c.media_id = ANY (v_ids);
  PERFORM omoide.tally('-infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', -v_bytes,
    -cardinality(v_ids));
  RETURN cardinality(v_ids);
END $$;

-- Ends transactions of the application that are older than settings.max_transaction_age: a held snapshot
-- keeps every dead blob on the disk (3.1 GB seen). Returns how many.
CREATE FUNCTION omoide.evict()
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (
    SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
    FROM pg_stat_activity a, omoide.settings s
    WHERE a.usename = 'omoide_app' AND a.pid <> pg_backend_pid()
      AND a.xact_start < clock_timestamp() - s.max_transaction_age
  );
END $$;

-- Makes one slot of each account's, where they are more than a few, and forgets past days. Internal.
-- Slots that somebody is charging at this moment are left for the next time.
CREATE FUNCTION omoide.fold_ledger()
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- As in tally().
  IF current_setting('transaction_isolation') <> 'read committed' THEN RETURN; END IF;
  DELETE FROM omoide.ledger l WHERE l.slot IN (
    SELECT f.slot FROM omoide.ledger f
    WHERE f.day > '-infinity' AND f.day < (now() AT TIME ZONE 'UTC')::date - 1
    FOR UPDATE SKIP LOCKED
  );
  WITH free AS MATERIALIZED (
    SELECT f.slot FROM omoide.ledger f
    WHERE (f.day, f.account) IN (
      SELECT n.day, n.account FROM omoide.ledger n GROUP BY n.day, n.account HAVING count(*) > 4
    )
    FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM omoide.ledger l USING free WHERE l.slot = free.slot
    RETURNING l.day, l.account, l.bytes, l.media
  )
  INSERT INTO omoide.ledger (day, account, bytes, media)
  SELECT g.day, g.account, sum(g.bytes), sum(g.media) FROM gone g GROUP BY g.day, g.account;
END $$;

-- The inbox's housekeeping, by any worker, at each poll: what release() missed, deliveries that are
-- missing to this storage (it was registered while a seal was uncommitted), the ledger, old transactions.
-- next_attempt_in: until something that failed here is due again; null where nothing is.
CREATE FUNCTION omoide.sweep()
RETURNS TABLE (released bigint, added bigint, evicted int, next_attempt_in interval)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  evicted := omoide.evict();
  INSERT INTO omoide.delivery (storage_id, media_id)
  SELECT v_id, m.id FROM omoide.media m
  WHERE m.released_at IS NULL AND m.sealed_at IS NOT NULL
    AND NOT EXISTS (
      SELECT FROM omoide.delivery d WHERE d.storage_id = v_id AND d.media_id = m.id
    )
    AND NOT EXISTS (
      SELECT FROM omoide.stored r WHERE r.storage_id = v_id AND r.media_id = m.id
    )
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS added = ROW_COUNT;
  -- A seal that was uncommitted while a storage was retired still owed to it.
  DELETE FROM omoide.delivery d WHERE (d.storage_id, d.media_id) IN (
    SELECT q.storage_id, q.media_id FROM omoide.delivery q
    WHERE q.storage_id IN (SELECT s.id FROM omoide.storage s WHERE s.retired_at IS NOT NULL)
    FOR UPDATE SKIP LOCKED
  );
  -- No more at once than what takes well under a second.
  released := omoide.release(array(SELECT r.media_id FROM omoide.releasable r LIMIT 4096));
  PERFORM omoide.fold_ledger();
  -- Not in the past, and null where there is none (greatest() alone would make that 0).
  SELECT CASE WHEN min(d.next_attempt_at) < now() THEN interval '0'
    ELSE min(d.next_attempt_at) - now() END
  INTO next_attempt_in
  FROM omoide.delivery d
  WHERE d.storage_id = v_id AND d.attempts > 0 AND d.parked_at IS NULL;
  RETURN NEXT;
END $$;
