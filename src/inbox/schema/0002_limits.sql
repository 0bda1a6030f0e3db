-- What the application may put in: per day for one owner and for all (healthy workers drain the inbox, so
-- a limit on the backlog alone never stops anybody from filling the disks), and in the inbox at once.
--
-- Rejected: summing up the backlog at each submit (280/s against 2,950/s); one counter row per account
-- (two sessions of the application would wait for each other's commit, and fail under repeatable read);
-- a ledger of one row per submit that sweep() folds (its dead rows are scanned until autovacuum comes,
-- and with no worker running nobody folds).
-- Instead each account has as many rows ("slots") as sessions have charged it at the same time: charge()
-- adds to one that nobody has locked, or makes another. Nobody ever waits for one, the workers neither:
-- what release() gives back goes the same way. A slot's update is HOT, so its dead versions go without
-- vacuum. sweep() folds the slots into one.
--
-- A transaction that submits thousands of media slows down, since each submit walks past the versions of
-- its own slot that the ones before left: 0.8 ms each for the first 1,000, 5 ms each after 5,000. Under
-- repeatable read each submit makes a slot, which sweep() folds.
--
-- How far a limit can be overshot: a transaction doesn't see what others have charged and not committed.
-- Each of the application's sessions (CONNECTION LIMIT) may add up to what was left when it looked, but
-- only within the time for which evict() lets a transaction live, and all of them together no more bytes
-- than max_inbox_disk_bytes, since the files count uncommitted rows too.

CREATE TABLE omoide.ledger (
  slot bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- UTC; -infinity for what has no day.
  day date NOT NULL,
  -- An owner; the nil UUID for all owners; the max UUID, without a day, for what is in the inbox.
  account uuid NOT NULL,
  bytes bigint NOT NULL,
  media bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX ledger_account ON omoide.ledger (day, account);

-- Adds to the inbox's account. Internal.
CREATE FUNCTION omoide.tally_inbox(p_bytes bigint, p_media bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  c_inbox constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
BEGIN
  -- In a snapshot that does not move, a slot that somebody else has changed since is an error.
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

-- Charges one media that is about to be sealed, and refuses it over any limit. Internal.
-- A media is charged 4 KiB at least: what it takes on the disks, also where it is empty.
CREATE FUNCTION omoide.charge(p_owner uuid, p_size bigint, p_limit omoide.settings)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  c_all constant uuid := '00000000-0000-0000-0000-000000000000';
  c_inbox constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_day constant date := (now() AT TIME ZONE 'UTC')::date;
  v_cost constant bigint := greatest(p_size, 4096);
  v_used record;
BEGIN
  -- All three accounts in one statement: half the time of three. VALUES of scalars and not arrays, which
  -- would be planned anew at each call (0.4 ms).
  IF current_setting('transaction_isolation') = 'read committed' THEN
    WITH due (day, account, bytes) AS (
      VALUES (v_day, p_owner, v_cost), (v_day, c_all, v_cost), ('-infinity', c_inbox, p_size)
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
      ('-infinity', c_inbox, p_size, 1);
  END IF;
  SELECT
    sum(l.bytes) FILTER (WHERE l.account = p_owner) AS owner_bytes,
    sum(l.media) FILTER (WHERE l.account = p_owner) AS owner_media,
    sum(l.bytes) FILTER (WHERE l.account = c_all) AS all_bytes,
    sum(l.media) FILTER (WHERE l.account = c_all) AS all_media,
    sum(l.bytes) FILTER (WHERE l.account = c_inbox) AS inbox_bytes
  INTO v_used
  FROM omoide.ledger l
  WHERE (l.day = v_day AND l.account IN (p_owner, c_all))
    OR (l.day = '-infinity' AND l.account = c_inbox);
  IF v_used.owner_bytes > p_limit.owner_bytes_per_day
    OR v_used.owner_media > p_limit.owner_media_per_day
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM003',
      MESSAGE = format('owner %s is over its limit of %s bytes and %s media per day (UTC)',
        p_owner, p_limit.owner_bytes_per_day, p_limit.owner_media_per_day),
      HINT = 'Nothing was stored. The limit begins anew at midnight UTC.';
  END IF;
  IF v_used.all_bytes > p_limit.all_bytes_per_day OR v_used.all_media > p_limit.all_media_per_day
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM004',
      MESSAGE = format('all owners together are over the limit of %s bytes and %s media per day (UTC)',
        p_limit.all_bytes_per_day, p_limit.all_media_per_day),
      HINT = 'Nothing was stored. The limit begins anew at midnight UTC.';
  END IF;
  IF v_used.inbox_bytes > p_limit.max_inbox_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: %s of %s bytes wait for the storages',
        v_used.inbox_bytes - p_size, p_limit.max_inbox_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it.';
  END IF;
  RETURN true;
END $$;

-- Refuses a media of more bytes than one may have, and any more bytes while the chunks' files are too
-- large. Internal.
-- The files' size is asked of the file system, 10 to 20 µs: it is the one number that counts what is
-- uncommitted and what is dead.
CREATE FUNCTION omoide.check_room(p_size bigint, p_more bigint, p_limit omoide.settings)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_files bigint;
BEGIN
  IF p_size > p_limit.max_media_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM002',
      MESSAGE = format('a media of %s bytes or more is too large: the limit is %s bytes',
        p_size, p_limit.max_media_bytes),
      HINT = 'Nothing was stored.';
  END IF;
  v_files := pg_table_size('omoide.media_chunk'::regclass);
  IF v_files + p_more > p_limit.max_inbox_disk_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: its files have %s of %s bytes',
        v_files, p_limit.max_inbox_disk_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it and autovacuum has come round.';
  END IF;
  RETURN true;
END $$;
