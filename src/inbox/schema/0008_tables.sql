-- The inbox's tables. All are owned by omoide_owner, who can't log in; no other role has any right on them
-- but through functions and views (rights.sql).
--
-- The first migration has the number 8: versions 1 to 7 came before the first release, when functions and
-- views stood between the tables.
--
-- No foreign keys between media, its chunks, deliveries and receipts: each key's check locks the media's
-- row FOR KEY SHARE, so two workers that acknowledge at once would write to one row, as multixacts.
-- Only the functions of this schema write here, and rows of media and storage are never deleted.

CREATE TABLE omoide.settings (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  inbox uuid NOT NULL,
  schema_version int NOT NULL,
  -- How many storages must hold a media before its blob may leave the database.
  min_copies int NOT NULL DEFAULT 2 CHECK (min_copies BETWEEN 2 AND 100),
  -- What is sealed and not released yet.
  max_inbox_bytes bigint NOT NULL DEFAULT 5 * 1024::bigint ^ 3 CHECK (max_inbox_bytes >= 0),
  -- The chunks' files, with their uncommitted and dead rows. Not the same number as max_inbox_bytes: a
  -- healthy inbox at its limit holds twice its backlog and what one autovacuum_naptime brings.
  max_inbox_disk_bytes bigint NOT NULL DEFAULT 16 * 1024::bigint ^ 3
    CHECK (max_inbox_disk_bytes >= 0),
  max_media_bytes bigint NOT NULL DEFAULT 4 * 1024::bigint ^ 3
    -- seq is an int; 2^31 chunks would be 512 TiB.
    CHECK (max_media_bytes BETWEEN 0 AND 1024::bigint ^ 4),
  owner_bytes_per_day bigint NOT NULL DEFAULT 50 * 1024::bigint ^ 3,
  owner_media_per_day bigint NOT NULL DEFAULT 100000,
  all_bytes_per_day bigint NOT NULL DEFAULT 500 * 1024::bigint ^ 3,
  all_media_per_day bigint NOT NULL DEFAULT 1000000,
  -- evict() ends a transaction of the application that is older.
  max_transaction_age interval NOT NULL DEFAULT '5 minutes'
    CHECK (max_transaction_age >= interval '0')
);

CREATE TABLE omoide.migration (
  version int PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE omoide.storage (
  id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (
    name ~ '^[a-z][a-z0-9]{0,30}$' AND name NOT IN ('app', 'monitor', 'owner', 'admin')
  ),
  role name NOT NULL UNIQUE CHECK (role = 'omoide_' || name),
  identity uuid NOT NULL UNIQUE,
  prefix_size int NOT NULL CHECK (prefix_size BETWEEN 1 AND 8),
  required_since timestamptz NOT NULL DEFAULT now(),
  retired_at timestamptz,
  distrusted_at timestamptz,
  distrusted_reason text,
  CHECK ((distrusted_at IS NULL) = (distrusted_reason IS NULL))
);

-- One row per file, kept for good; the blob is what leaves.
CREATE TABLE omoide.media (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner_uuid uuid NOT NULL,
  item_uuid uuid NOT NULL,
  media_type text NOT NULL CHECK (media_type IN ('content', 'preview', 'thumbnail')),
  ext text NOT NULL CHECK (ext ~ '^[A-Za-z0-9]{1,16}$'),
  size bigint CHECK (size >= 0),
  sha256 bytea CHECK (octet_length(sha256) = 32),
  -- Decided once, when sealing, so that all storages agree.
  public_name text CHECK (
    public_name = item_uuid::text || '.' || ext
    OR public_name = item_uuid::text || '~' || encode(sha256, 'hex') || '.' || ext
  ),
  -- This media is the one that <item>.<ext> belongs to. Others have it too only with the same bytes.
  holds_name boolean NOT NULL DEFAULT false,
  opened_at timestamptz NOT NULL DEFAULT now(),
  sealed_at timestamptz,
  released_at timestamptz,
  CHECK (num_nulls(size, sha256, public_name, sealed_at) IN (0, 4)),
  CHECK (sealed_at IS NOT NULL OR NOT holds_name),
  CHECK (sealed_at IS NOT NULL OR released_at IS NULL)
);

-- Uniqueness decides who gets the name, since it's the one thing that holds between transactions under
-- every isolation level: a lock would not help one whose snapshot is older than the lock.
CREATE UNIQUE INDEX media_name ON omoide.media (owner_uuid, item_uuid, media_type, ext)
  WHERE holds_name;
-- The rest, for find_media. Two partial indexes, so that each media is in one of them.
CREATE INDEX media_item ON omoide.media (owner_uuid, item_uuid) WHERE NOT holds_name;
-- What is still in the inbox: for sweep(), and for a new storage's deliveries.
CREATE INDEX media_in_inbox ON omoide.media (id) WHERE released_at IS NULL;

-- A media's bytes in pieces of 256 KiB, only the last may be shorter; none for an empty media. Rows and
-- not one value, so that neither side ever holds a whole file; not large objects, whose rights can't be
-- given out one function at a time.
CREATE TABLE omoide.media_chunk (
  media_id bigint NOT NULL,
  seq int NOT NULL CHECK (seq >= 0),
  bytes bytea NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 262144),
  PRIMARY KEY (media_id, seq)
);
-- Pictures don't compress; trying costs more than storing.
ALTER TABLE omoide.media_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- What is owed, and nothing else. No state "running" and no lease that could expire: a worker writes
-- idempotently, so a claim could only be wrong.
CREATE TABLE omoide.delivery (
  storage_id smallint NOT NULL,
  media_id bigint NOT NULL,
  attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  -- Not now(): a clock that jumps back must not put off what has never failed.
  next_attempt_at timestamptz NOT NULL DEFAULT '-infinity',
  last_error text,
  parked_at timestamptz,
  -- worker.life of the worker that counted an attempt ahead of making it; null if none is counted.
  begun_in_life bigint,
  PRIMARY KEY (storage_id, media_id)
);
-- The last of 100 acknowledgements at a backlog of 100,000: 522 ms without this index, 10 ms with it.
CREATE INDEX delivery_media ON omoide.delivery (media_id);
-- When something that failed is due again. Mostly empty.
CREATE INDEX delivery_again ON omoide.delivery (storage_id, next_attempt_at)
  WHERE attempts > 0 AND parked_at IS NULL;

-- Receipts, one per storage and media, kept for good and therefore narrow.
CREATE TABLE omoide.stored (
  storage_id smallint NOT NULL,
  media_id bigint NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('stored', 'present', 'renamed')),
  -- Relative to the root; null if it is the media's usual one.
  path text CHECK (
    octet_length(path) <= 200 AND path ~ '^[A-Za-z0-9/~.-]+$' AND path !~ '(^|/)[.]*(/|$)'
  ),
  stored_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (storage_id, media_id)
);

-- One row per storage, written every 10 s.
CREATE TABLE omoide.worker (
  storage_id smallint PRIMARY KEY,
  -- Counts the workers that took this storage.
  life bigint NOT NULL DEFAULT 0,
  version text,
  started_at timestamptz,
  seen_at timestamptz NOT NULL DEFAULT now(),
  state text NOT NULL CHECK (
    state IN ('starting', 'idle', 'storing', 'paused', 'standby', 'stopped', 'distrusted')
  ),
  reason text,
  free_bytes bigint,
  total_bytes bigint,
  free_inodes bigint,
  total_inodes bigint,
  stored_media bigint,
  stored_bytes bigint,
  last_error text,
  standby_seen_at timestamptz,
  -- When sweep() last looked for deliveries that are missing.
  looked_at timestamptz
) WITH (fillfactor = 50);

-- Autovacuum. Everything that passes through these tables is deleted soon, so what bounds their files is
-- how soon dead rows can be used again. Measured with the defaults (dead > 20 % of live, and a pause of
-- 2 ms after each 20 pages or so): a backlog of 100 MB churning at 82 MB/s had reached 6.3 GB before
-- autovacuum came round. The bound to hold is twice the peak backlog plus autovacuum_naptime times the
-- rate. So: no scale (a share of a backlog that is gone means nothing), no threshold on the blobs (the
-- last dead rows are what keeps a file from being truncated), no pauses.
ALTER TABLE omoide.media_chunk SET (
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 0,
  autovacuum_vacuum_cost_delay = 0,
  -- Every insert is followed by a delete, which counts by itself.
  autovacuum_vacuum_insert_threshold = -1,
  toast.autovacuum_vacuum_scale_factor = 0,
  toast.autovacuum_vacuum_threshold = 0,
  toast.autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_insert_threshold = -1
);
-- A queue: pending() walks its index from the front, where dead rows would pile up. Analyzing it often
-- would say only how full it is at that moment.
ALTER TABLE omoide.delivery SET (
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0
);
-- Kept for good, but every row is updated once (released_at) soon after it came: 20 % of ten million
-- would be two million dead rows in media_in_inbox, which sweep() walks.
ALTER TABLE omoide.media SET (
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0
);

-- What the application may put in: per day for one owner and for all (healthy workers drain the inbox, so
-- a limit on the backlog alone never keeps the disks from being filled), and in the inbox at once.
--
-- Rejected: summing up the backlog at each submit (280/s against 2,950/s); one counter row per account
-- (two sessions of the application would wait for each other's commit, and fail under repeatable read);
-- a ledger of one row per submit that sweep() folds (its dead rows are scanned until autovacuum comes,
-- and while no worker runs nothing is folded).
-- Instead each account has as many rows ("slots") as sessions have charged it at the same time: charge()
-- adds to one that is not locked, or makes another. No session ever waits for one, a worker's neither:
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

-- A media that is still open when its transaction commits is refused. The trigger needs a function before
-- the functions' files are applied: this one, should it ever stay, lets nothing in.
CREATE FUNCTION omoide.refuse_unsealed()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'functions/refuse_unsealed.sql has not been applied';
END $$;
CREATE CONSTRAINT TRIGGER media_is_sealed AFTER INSERT ON omoide.media
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.sealed_at IS NULL)
  EXECUTE FUNCTION omoide.refuse_unsealed();
