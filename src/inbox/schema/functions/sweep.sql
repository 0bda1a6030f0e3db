-- The inbox's housekeeping, by every worker that has its storage's lane 0, at each poll: what release()
-- missed, deliveries that should be there or should not, uploads that have expired, the ledger, old
-- transactions.
-- next_attempt_in: until something that failed in these lanes is due again; null if nothing is.
CREATE OR REPLACE FUNCTION omoide.sweep(p_lanes int DEFAULT 1, p_mine int[] DEFAULT '{0}')
RETURNS TABLE (released bigint, added bigint, evicted int, next_attempt_in interval)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_storage constant omoide.storage := omoide.own_storage();
  v_id constant smallint := v_storage.id;
BEGIN
  -- Not in the past, and null if there is none (greatest() alone would make that 0).
  SELECT CASE WHEN min(d.next_attempt_at) < now() THEN interval '0'
    ELSE min(d.next_attempt_at) - now() END
  INTO next_attempt_in
  FROM omoide.delivery d
  WHERE d.storage_id = v_id AND d.attempts > 0 AND d.parked_at IS NULL
    AND d.media_id % p_lanes = ANY (p_mine);
  IF 0 <> ALL (p_mine) THEN
    RETURN NEXT;
    RETURN;
  END IF;
  evicted := omoide.evict();
  -- Looking at every media costs 100 ms at a backlog of 100,000, so it is done at the worker's start, for
  -- an hour after the storage was registered, and then every five minutes.
  UPDATE omoide.worker w SET looked_at = now()
  WHERE w.storage_id = v_id AND w.lane = 0 AND (
    w.looked_at IS NULL OR w.looked_at NOT BETWEEN now() - interval '5 minutes' AND now()
    OR v_storage.required_since > now() - interval '1 hour'
  );
  IF FOUND OR NOT EXISTS (SELECT FROM omoide.worker w WHERE w.storage_id = v_id) THEN
    added := omoide.repair_deliveries(v_id);
  ELSE
    added := 0;
  END IF;
  released := omoide.release(omoide.missed_releases());
  PERFORM omoide.expire_uploads();
  PERFORM omoide.fold_ledger();
  PERFORM omoide.fold_owed();
  -- 6 ms each. A sweep is a transaction, and short.
  PERFORM omoide.fold_holdings(16);
  PERFORM omoide.reset_settings();
  PERFORM omoide.keep_history(v_id);
  RETURN NEXT;
END $$;
