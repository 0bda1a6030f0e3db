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

-- Adds to one account. Internal.
CREATE FUNCTION omoide.tally(p_day date, p_account uuid, p_bytes bigint, p_media bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- In a snapshot that does not move, a slot that somebody else has changed since is an error.
  IF current_setting('transaction_isolation') = 'read committed' THEN
    UPDATE omoide.ledger l SET bytes = l.bytes + p_bytes, media = l.media + p_media
    WHERE l.slot = (
      SELECT f.slot FROM omoide.ledger f WHERE f.day = p_day AND f.account = p_account
      LIMIT 1 FOR UPDATE SKIP LOCKED
    );
    IF FOUND THEN RETURN; END IF;
  END IF;
  INSERT INTO omoide.ledger (day, account, bytes, media)
  VALUES (p_day, p_account, p_bytes, p_media);
END $$;

-- Charges one media that is about to be sealed, and refuses it over any limit. Internal.
-- A media is charged 4 KiB at least: what it takes on the disks, also where it is empty.
CREATE FUNCTION omoide.charge(p_owner uuid, p_size bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  c_all constant uuid := '00000000-0000-0000-0000-000000000000';
  c_inbox constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_day constant date := (now() AT TIME ZONE 'UTC')::date;
  v_cost constant bigint := greatest(p_size, 4096);
  v_limit omoide.settings;
  v_used record;
BEGIN
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  PERFORM omoide.tally(v_day, p_owner, v_cost, 1);
  PERFORM omoide.tally(v_day, c_all, v_cost, 1);
  PERFORM omoide.tally('-infinity', c_inbox, p_size, 1);
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
  IF v_used.owner_bytes > v_limit.owner_bytes_per_day
    OR v_used.owner_media > v_limit.owner_media_per_day
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM003',
      MESSAGE = format('owner %s is over its limit of %s bytes and %s media per day (UTC)',
        p_owner, v_limit.owner_bytes_per_day, v_limit.owner_media_per_day),
      HINT = 'Nothing was stored. The limit begins anew at midnight UTC.';
  END IF;
  IF v_used.all_bytes > v_limit.all_bytes_per_day OR v_used.all_media > v_limit.all_media_per_day
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM004',
      MESSAGE = format('all owners together are over the limit of %s bytes and %s media per day (UTC)',
        v_limit.all_bytes_per_day, v_limit.all_media_per_day),
      HINT = 'Nothing was stored. The limit begins anew at midnight UTC.';
  END IF;
  IF v_used.inbox_bytes > v_limit.max_inbox_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: %s of %s bytes wait for the storages',
        v_used.inbox_bytes - p_size, v_limit.max_inbox_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it.';
  END IF;
END $$;

-- Refuses more bytes than one media may have, and any while the chunks' files are too large. Internal.
-- The files' size is asked of the file system, 10 to 20 µs: it is the one number that counts what is
-- uncommitted and what is dead.
CREATE FUNCTION omoide.check_room(p_size bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_limit omoide.settings;
  v_files bigint;
BEGIN
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  IF p_size > v_limit.max_media_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM002',
      MESSAGE = format('a media of %s bytes or more is too large: the limit is %s bytes',
        p_size, v_limit.max_media_bytes),
      HINT = 'Nothing was stored.';
  END IF;
  v_files := pg_table_size('omoide.media_chunk'::regclass);
  IF v_files + p_size > v_limit.max_inbox_disk_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: its files have %s of %s bytes',
        v_files, v_limit.max_inbox_disk_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it and autovacuum has come round.';
  END IF;
END $$;
