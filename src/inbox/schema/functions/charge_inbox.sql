-- Charges the inbox with bytes that come in, and refuses them when it is full. Internal.
CREATE OR REPLACE FUNCTION omoide.charge_inbox(p_bytes bigint, p_limit omoide.settings)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_used bigint;
BEGIN
  PERFORM omoide.tally_inbox(p_bytes, 0);
  SELECT sum(l.bytes) INTO v_used FROM omoide.ledger l
  WHERE l.day = '-infinity' AND l.account = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  IF v_used > p_limit.max_inbox_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: %s of %s bytes wait for the storages',
        v_used - p_bytes, p_limit.max_inbox_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it.';
  END IF;
  RETURN true;
END $$;
