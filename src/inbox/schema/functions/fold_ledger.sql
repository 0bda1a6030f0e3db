-- Makes one slot of each account's, if they are more than a few, and forgets past days. Internal.
-- Slots that are being charged at this moment are left for the next time.
CREATE OR REPLACE FUNCTION omoide.fold_ledger()
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
