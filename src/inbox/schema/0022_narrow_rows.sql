-- What is kept for good of a media is narrow, and written once.
--
-- A media's row said when its blob had left, so each was written twice: the second time whole, and into all of
-- its indexes, since two of them went by that date. Now a row of its own says that a media waits, and goes when
-- the blob does. A media that is still being appended to has one of its own too, so media has whole ones only.
-- Not kept any more: the public name, which follows from item, ext and sha256; when a media was opened; and
-- when its blob left, which is when its last receipt came.
--
-- 16 s and 450 MB of WAL for a million media, in which nothing else reads or writes them.

-- First the sequence, which goes with its table below, in the order in which a submit takes both: the other way
-- round, each submit that came meanwhile ended as a deadlock. LOCK TABLE takes no sequence; this changes nothing
-- of it, and waits for those who have asked it for an id.
ALTER SEQUENCE omoide.media_id_seq CACHE 1;
-- Not delivery: a sweep has that first, and media later.
LOCK TABLE omoide.media, omoide.stored IN ACCESS EXCLUSIVE MODE;
-- views/ and functions/ have what takes their place.
DROP VIEW IF EXISTS omoide.receipt, omoide.parked, omoide.generation_status, omoide.releasable,
  omoide.shared_paths, omoide.storage_status, omoide.inbox_status;
DROP FUNCTION IF EXISTS
  omoide.public_name(uuid, text, bytea, bytea),
  omoide.public_path(text, uuid, uuid, text, int);

-- Media whose blobs are in the inbox. Its row is what release() deletes, and what whoever takes back a receipt
-- writes first.
CREATE TABLE omoide.waiting (
  media_id bigint NOT NULL,
  -- So that what waits is added up without looking at each media.
  size bigint NOT NULL CHECK (size >= 0),
  -- Where its chunks are.
  generation int NOT NULL
  -- A queue, as delivery.
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0);
INSERT INTO omoide.waiting (media_id, size, generation)
SELECT m.id, m.size, m.generation FROM omoide.media m
WHERE m.released_at IS NULL ORDER BY m.id;
ALTER TABLE omoide.waiting ADD PRIMARY KEY (media_id);
-- The earliest of a generation first.
CREATE INDEX waiting_generation ON omoide.waiting (generation, media_id);

-- What a transaction of the application has opened and not sealed. Never committed.
CREATE TABLE omoide.opened (
  media_id bigint PRIMARY KEY,
  owner_uuid uuid NOT NULL,
  item_uuid uuid NOT NULL,
  media_type text NOT NULL,
  ext text NOT NULL,
  generation int NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE CONSTRAINT TRIGGER opened_is_sealed AFTER INSERT ON omoide.opened
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION omoide.refuse_unsealed();

-- 4 bytes, and as text 8 or 10: that much in the row, and in the largest of the indexes.
CREATE TYPE omoide.media_type AS ENUM ('content', 'preview', 'thumbnail');
-- 128 bytes with a header. The columns by their alignment, and without a null there is no bitmap of them.
CREATE TABLE omoide.narrow_media (
  id bigint NOT NULL,
  size bigint NOT NULL CHECK (size >= 0),
  sealed_at timestamptz NOT NULL,
  owner_uuid uuid NOT NULL,
  item_uuid uuid NOT NULL,
  media_type omoide.media_type NOT NULL,
  -- This media is the one that <item>.<ext> belongs to. Others have it too only with the same bytes.
  holds_name boolean NOT NULL,
  -- Its public name is <item>.<ext>, and not <item>~<sha256>.<ext>: decided once, when sealing, so that all
  -- storages agree.
  has_plain_name boolean NOT NULL,
  ext text NOT NULL CHECK (ext ~ '^[A-Za-z0-9]{1,16}$'),
  sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  CHECK (has_plain_name OR NOT holds_name)
);
INSERT INTO omoide.narrow_media (id, size, sealed_at, owner_uuid, item_uuid, media_type, holds_name,
  has_plain_name, ext, sha256)
SELECT m.id, m.size, m.sealed_at, m.owner_uuid, m.item_uuid, m.media_type::omoide.media_type, m.holds_name,
  m.public_name = m.item_uuid::text || '.' || m.ext, m.ext, m.sha256
FROM omoide.media m ORDER BY m.id;
DO $$
DECLARE
  v_last bigint;
  v_is_called boolean;
BEGIN
  SELECT s.last_value, s.is_called INTO v_last, v_is_called FROM omoide.media_id_seq s;
  DROP TABLE omoide.media;
  ALTER TABLE omoide.narrow_media RENAME TO media;
  ALTER TABLE omoide.media ALTER id
    ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME omoide.media_id_seq);
  PERFORM setval('omoide.media_id_seq', v_last, v_is_called);
END $$;
ALTER TABLE omoide.media ADD PRIMARY KEY (id);
-- As in 0008_tables.sql.
CREATE UNIQUE INDEX media_name ON omoide.media (owner_uuid, item_uuid, media_type, ext)
  WHERE holds_name;
CREATE INDEX media_item ON omoide.media (owner_uuid, item_uuid) WHERE NOT holds_name;

-- 48 bytes instead of 56, likewise.
CREATE TYPE omoide.outcome AS ENUM ('stored', 'present', 'renamed');
CREATE TABLE omoide.narrow_stored (
  media_id bigint NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(),
  outcome omoide.outcome NOT NULL,
  storage_id smallint NOT NULL,
  -- Relative to the root; null if it is the media's usual one.
  path text CHECK (
    octet_length(path) <= 200 AND path ~ '^[A-Za-z0-9/~.-]+$' AND path !~ '(^|/)[.]*(/|$)'
  )
);
INSERT INTO omoide.narrow_stored (media_id, stored_at, outcome, storage_id, path)
SELECT r.media_id, r.stored_at, r.outcome::omoide.outcome, r.storage_id, r.path
FROM omoide.stored r ORDER BY r.storage_id, r.media_id;
DROP TABLE omoide.stored;
ALTER TABLE omoide.narrow_stored RENAME TO stored;
ALTER TABLE omoide.stored ADD PRIMARY KEY (storage_id, media_id);
-- As in 0016_counters.sql.
CREATE INDEX stored_elsewhere ON omoide.stored (media_id) WHERE path IS NOT NULL;

CREATE TRIGGER stored_added AFTER INSERT ON omoide.stored
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();
CREATE TRIGGER stored_changed AFTER UPDATE ON omoide.stored
  REFERENCING OLD TABLE AS gone NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();
CREATE TRIGGER stored_gone AFTER DELETE ON omoide.stored
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();
CREATE TRIGGER stored_emptied AFTER TRUNCATE ON omoide.stored
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();

-- A release counts as a change of receipts does.
CREATE TRIGGER waiting_gone AFTER DELETE ON omoide.waiting
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();
CREATE TRIGGER waiting_emptied AFTER TRUNCATE ON omoide.waiting
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();

CREATE TRIGGER media_changed AFTER UPDATE ON omoide.media
  REFERENCING OLD TABLE AS gone NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_media();
CREATE TRIGGER media_gone AFTER DELETE ON omoide.media
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_media();
CREATE TRIGGER media_emptied AFTER TRUNCATE ON omoide.media
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_media();
