-- Merges each account's slots into one, if there are more than a few, and drops past days; 10,000 slots at a
-- time, of those that were made since the last time. Internal.
-- Slots that are being charged at this moment are left for the next time.
CREATE OR REPLACE FUNCTION omoide.fold_ledger()
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
  -- As in charge().
  IF current_setting('transaction_isolation') <> 'read committed' THEN RETURN; END IF;
  DELETE FROM omoide.ledger l WHERE l.slot = ANY (ARRAY(
    SELECT f.slot FROM omoide.ledger f
    WHERE f.day > '-infinity' AND f.day < (now() AT TIME ZONE 'UTC')::date - 1
    LIMIT 10000 FOR UPDATE SKIP LOCKED
  ));
  WITH grown AS MATERIALIZED (
    SELECT DISTINCT e.day, e.account
    FROM (SELECT n.day, n.account FROM omoide.ledger n WHERE n.is_new LIMIT 10000) e
  ), gone AS (
    DELETE FROM omoide.ledger l WHERE l.slot = ANY (ARRAY(
      SELECT free.slot FROM grown CROSS JOIN LATERAL (
        SELECT f.slot FROM omoide.ledger f WHERE f.day = grown.day AND f.account = grown.account
        LIMIT 10000 FOR UPDATE SKIP LOCKED
      ) free
      WHERE (
        SELECT count(*) FROM (
          SELECT FROM omoide.ledger f WHERE f.day = grown.day AND f.account = grown.account LIMIT 5
        ) few
      ) = 5
    ))
    RETURNING l.day, l.account, l.bytes, l.media
  )
  INSERT INTO omoide.ledger (day, account, bytes, media, is_new)
  SELECT g.day, g.account, sum(g.bytes), sum(g.media), false FROM gone g GROUP BY g.day, g.account;
  UPDATE omoide.ledger l SET is_new = false WHERE l.slot = ANY (ARRAY(
    SELECT f.slot FROM omoide.ledger f WHERE f.is_new LIMIT 10000 FOR UPDATE SKIP LOCKED
  ));
END $$;
