-- Adds to the inbox's account. Internal.
CREATE OR REPLACE FUNCTION omoide.tally_inbox(p_bytes bigint, p_media bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  c_inbox constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
BEGIN
  -- In a snapshot that does not move, a slot that another session has changed since is an error.
  IF current_setting('transaction_isolation') = 'read committed' THEN
    UPDATE omoide.ledger l SET bytes = l.bytes + p_bytes, media = l.media + p_media
    WHERE l.slot = (
      SELECT f.slot FROM omoide.ledger f WHERE f.day = '-infinity' AND f.account = c_inbox
      LIMIT 1 FOR UPDATE SKIP LOCKED
    );
    IF FOUND THEN RETURN; END IF;
  END IF;
  INSERT INTO omoide.ledger (day, account, bytes, media)
  VALUES ('-infinity', c_inbox, p_bytes, p_media);
END $$;
