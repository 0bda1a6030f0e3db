-- Charges one media that is about to be sealed, or uploaded; refuses it over any limit, and if its owner is
-- frozen. Every way in comes through here. Internal.
-- A media is charged 4 KiB at least: what it takes on the disks, also if it is empty.
-- An upload's bytes are charged to the inbox as they come (charge_inbox), so not here: p_in_inbox false.
CREATE OR REPLACE FUNCTION omoide.charge(
  p_owner uuid, p_size bigint, p_limit omoide.settings, p_in_inbox boolean
)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  c_all constant uuid := '00000000-0000-0000-0000-000000000000';
  c_inbox constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_day constant date := (now() AT TIME ZONE 'UTC')::date;
  v_cost constant bigint := greatest(p_size, 4096);
  v_used record;
BEGIN
  -- All three accounts in one statement: half the time of three. VALUES of scalars and not arrays, which
  -- would be planned at each call (0.4 ms).
  IF current_setting('transaction_isolation') = 'read committed' THEN
    WITH due (day, account, bytes) AS (
      VALUES (v_day, p_owner, v_cost), (v_day, c_all, v_cost), ('-infinity', c_inbox, p_size)
      LIMIT 2 + p_in_inbox::int
    ), added AS (
      UPDATE omoide.ledger l SET bytes = l.bytes + due.bytes, media = l.media + 1
      FROM due CROSS JOIN LATERAL (
        SELECT f.slot FROM omoide.ledger f
        WHERE f.day = due.day AND f.account = due.account
        LIMIT 1 FOR UPDATE SKIP LOCKED
      ) free
      WHERE l.slot = free.slot
      RETURNING l.account
    )
    INSERT INTO omoide.ledger (day, account, bytes, media)
    SELECT due.day, due.account, due.bytes, 1 FROM due
    WHERE due.account NOT IN (SELECT added.account FROM added);
  ELSE
    INSERT INTO omoide.ledger (day, account, bytes, media)
    VALUES (v_day, p_owner, v_cost, 1), (v_day, c_all, v_cost, 1),
      ('-infinity', c_inbox, p_size, 1)
    LIMIT 2 + p_in_inbox::int;
  END IF;
  SELECT
    sum(l.bytes) FILTER (WHERE l.account = p_owner) AS owner_bytes,
    sum(l.media) FILTER (WHERE l.account = p_owner) AS owner_media,
    sum(l.bytes) FILTER (WHERE l.account = c_all) AS all_bytes,
    sum(l.media) FILTER (WHERE l.account = c_all) AS all_media,
    sum(l.bytes) FILTER (WHERE l.account = c_inbox) AS inbox_bytes,
    EXISTS (SELECT FROM omoide.frozen f WHERE f.owner_uuid = p_owner) AS frozen
  INTO v_used
  FROM omoide.ledger l
  WHERE (l.day = v_day AND l.account IN (p_owner, c_all))
    OR (l.day = '-infinity' AND l.account = c_inbox);
  IF v_used.frozen THEN
    RAISE EXCEPTION USING ERRCODE = 'OM007',
      MESSAGE = format('owner %s is frozen: its files move to another inbox', p_owner),
      HINT = 'Nothing was stored. Submit to the inbox that the owner has moved to.';
  END IF;
  IF v_used.owner_bytes > p_limit.owner_bytes_per_day
    OR v_used.owner_media > p_limit.owner_media_per_day
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM003',
      MESSAGE = format('owner %s is over its limit of %s bytes and %s media per day (UTC)',
        p_owner, p_limit.owner_bytes_per_day, p_limit.owner_media_per_day),
      HINT = 'Nothing was stored. The count starts again at midnight UTC.';
  END IF;
  IF v_used.all_bytes > p_limit.all_bytes_per_day OR v_used.all_media > p_limit.all_media_per_day
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM004',
      MESSAGE = format('all owners together are over the limit of %s bytes and %s media per day (UTC)',
        p_limit.all_bytes_per_day, p_limit.all_media_per_day),
      HINT = 'Nothing was stored. The count starts again at midnight UTC.';
  END IF;
  IF p_in_inbox AND v_used.inbox_bytes > p_limit.max_inbox_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: %s of %s bytes wait for the storages',
        v_used.inbox_bytes - p_size, p_limit.max_inbox_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it.';
  END IF;
  RETURN true;
END $$;
