-- How a blob leaves the inbox: only when every storage that is required now holds a receipt, no fewer of
-- them than min_copies, nothing of it is still owed to one of them, and none of them is distrusted (a
-- distrusted disk's receipts may be lies; loss is the greater evil).

-- What could be released now, for sweep() and for status. What is still owed to anybody falls out first, in
-- one pass over two indexes (40 ms at a backlog of 100,000); OFFSET 0 keeps that first.
CREATE VIEW omoide.releasable AS
SELECT c.id AS media_id
FROM (
  SELECT m.id FROM omoide.media m
  WHERE m.released_at IS NULL AND m.sealed_at IS NOT NULL
    AND (
      SELECT count(*) >= (SELECT t.min_copies FROM omoide.settings t)
        AND bool_and(s.distrusted_at IS NULL)
      FROM omoide.storage s WHERE s.retired_at IS NULL
    )
    AND NOT EXISTS (SELECT FROM omoide.delivery d WHERE d.media_id = m.id)
  OFFSET 0
) c
WHERE (
  SELECT count(*) FROM omoide.stored r
  WHERE r.media_id = c.id
    AND r.storage_id = ANY (ARRAY(SELECT s.id FROM omoide.storage s WHERE s.retired_at IS NULL))
) = (SELECT count(*) FROM omoide.storage s WHERE s.retired_at IS NULL);

-- A later statement than acknowledge(), with a snapshot of its own: of two storages that acknowledge last
-- at the same moment, the one that commits second sees both receipts here. Where both see both, SKIP
-- LOCKED gives the media to one and the other goes on without waiting. Within one transaction with its
-- acknowledge, under repeatable read or serializable, neither might see the other's: then sweep() does it.
-- A serialization failure has changed nothing: the caller tries again, or leaves it to sweep().
CREATE FUNCTION omoide.release(p_ids bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off AS $$
DECLARE
  v_required smallint[];
  v_trusted boolean;
  v_copies int;
  v_ids bigint[];
  v_bytes bigint;
BEGIN
  PERFORM omoide.own_storage();
  SELECT array_agg(s.id), bool_and(s.distrusted_at IS NULL) INTO v_required, v_trusted
  FROM omoide.storage s WHERE s.retired_at IS NULL;
  SELECT t.min_copies INTO STRICT v_copies FROM omoide.settings t;
  IF NOT v_trusted OR cardinality(v_required) < v_copies THEN RETURN 0; END IF;
  WITH ripe AS MATERIALIZED (
    SELECT m.id FROM omoide.media m
    WHERE m.id = ANY (p_ids) AND m.sealed_at IS NOT NULL
      -- Read again on the row itself when another release of it has committed meanwhile.
      AND m.released_at IS NULL
      AND (
        SELECT count(*) FROM omoide.stored r
        WHERE r.media_id = m.id AND r.storage_id = ANY (v_required)
      ) = cardinality(v_required)
      AND (SELECT count(*) FROM omoide.delivery d WHERE d.media_id = m.id) = 0
    FOR UPDATE SKIP LOCKED
  )
  SELECT array_agg(ripe.id) INTO v_ids FROM ripe;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  -- Once more, in a snapshot that was taken after the rows were locked: whoever takes back a receipt locks
  -- the media's row first. (A transaction with an older snapshot, under repeatable read or serializable,
  -- fails at the lock, since taking back writes that row.)
  SELECT array_agg(s.id), bool_and(s.distrusted_at IS NULL) INTO v_required, v_trusted
  FROM omoide.storage s WHERE s.retired_at IS NULL;
  IF NOT v_trusted OR cardinality(v_required) < v_copies THEN RETURN 0; END IF;
  WITH gone AS (
    UPDATE omoide.media m SET released_at = now()
    WHERE m.id = ANY (v_ids)
      AND (
        SELECT count(*) FROM omoide.stored r
        WHERE r.media_id = m.id AND r.storage_id = ANY (v_required)
      ) = cardinality(v_required)
      AND (SELECT count(*) FROM omoide.delivery d WHERE d.media_id = m.id) = 0
    RETURNING m.id, m.size
  )
  SELECT array_agg(g.id), sum(g.size) INTO v_ids, v_bytes FROM gone g;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  DELETE FROM omoide.media_chunk c WHERE c.media_id = ANY (v_ids);
  PERFORM omoide.tally_inbox(-v_bytes, -cardinality(v_ids));
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
  -- As in charge().
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

-- Puts right which deliveries there are, where two transactions did not see each other; returns how many
-- were added. Internal. Each row is looked up by its index, count(*) keeping the planner from a join: by
-- hash it read all of `stored`, which is kept for good, and on PostgreSQL 15 ended at temp_file_limit.
CREATE FUNCTION omoide.mend_deliveries(p_storage smallint)
RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  v_added bigint;
BEGIN
  -- The storage was registered while a seal was uncommitted.
  INSERT INTO omoide.delivery (storage_id, media_id)
  SELECT p_storage, m.id FROM omoide.media m
  WHERE m.released_at IS NULL AND m.sealed_at IS NOT NULL
    AND (
      SELECT count(*) FROM omoide.delivery d WHERE d.storage_id = p_storage AND d.media_id = m.id
    ) = 0
    AND (
      SELECT count(*) FROM omoide.stored r WHERE r.storage_id = p_storage AND r.media_id = m.id
    ) = 0
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_added = ROW_COUNT;
  -- It was registered while a release was uncommitted: owed, but the bytes are gone.
  DELETE FROM omoide.delivery d
  WHERE d.storage_id = p_storage
    AND (SELECT m.released_at FROM omoide.media m WHERE m.id = d.media_id) IS NOT NULL;
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

-- Ids of what release() has missed, no more than take well under a second to release. Internal.
CREATE FUNCTION omoide.missed_releases()
RETURNS bigint[] LANGUAGE plpgsql STABLE SET enable_nestloop = off AS $$
BEGIN
  RETURN ARRAY(SELECT r.media_id FROM omoide.releasable r LIMIT 4096);
END $$;

-- The inbox's housekeeping, by any worker, at each poll: what release() missed, deliveries that should be
-- there or should not, the ledger, old transactions.
-- next_attempt_in: until something that failed here is due again; null where nothing is.
CREATE FUNCTION omoide.sweep()
RETURNS TABLE (released bigint, added bigint, evicted int, next_attempt_in interval)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_storage constant omoide.storage := omoide.own_storage();
  v_id constant smallint := v_storage.id;
BEGIN
  evicted := omoide.evict();
  -- Looking at every media costs 100 ms at a backlog of 100,000, so it is done at the worker's start, for
  -- an hour after the storage was registered, and then every five minutes.
  UPDATE omoide.worker w SET looked_at = now()
  WHERE w.storage_id = v_id AND (
    w.looked_at IS NULL OR w.looked_at NOT BETWEEN now() - interval '5 minutes' AND now()
    OR v_storage.required_since > now() - interval '1 hour'
  );
  IF FOUND OR NOT EXISTS (SELECT FROM omoide.worker w WHERE w.storage_id = v_id) THEN
    added := omoide.mend_deliveries(v_id);
  ELSE
    added := 0;
  END IF;
  released := omoide.release(omoide.missed_releases());
  PERFORM omoide.fold_ledger();
  -- Not in the past, and null where there is none (greatest() alone would make that 0).
  SELECT CASE WHEN min(d.next_attempt_at) < now() THEN interval '0'
    ELSE min(d.next_attempt_at) - now() END
  INTO next_attempt_in
  FROM omoide.delivery d
  WHERE d.storage_id = v_id AND d.attempts > 0 AND d.parked_at IS NULL;
  RETURN NEXT;
END $$;
