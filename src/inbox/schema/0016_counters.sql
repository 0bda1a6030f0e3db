-- Counters: what `inbox status` says costs the same whatever was ever stored, and whatever is owed.
--
-- What is owed is added up: each statement that changes deliveries leaves a row of differences, which
-- sweep() folds. Rejected: a row per storage (sixteen sessions that submit would queue at it), slots as in
-- the ledger (four times as long as an insert without an index, at each submit).
--
-- What the storages have is counted by block, 4,096 ids each. Whoever changes receipts, or releases, marks
-- the block; fold_holdings() counts marked blocks again. A mark and what it is for are in one transaction,
-- so any snapshot sees both or neither, and a count that deletes the marks that it sees is right whatever
-- else happens at that moment. Rejected: adding up here too. A media counts by the set of storages that have
-- it, so two that change one media's receipts would have to wait for each other.
--
-- Triggers on whole statements, and not calls in functions: whoever changes a row is counted, also an
-- administrator by hand.

-- So that what is owed has its bytes without looking at each media.
ALTER TABLE omoide.delivery ADD COLUMN size bigint;
UPDATE omoide.delivery d SET size = coalesce(
  (SELECT m.size FROM omoide.media m WHERE m.id = d.media_id LIMIT 1), 0);
ALTER TABLE omoide.delivery ALTER COLUMN size SET NOT NULL;

-- Differences of what is owed; their sum is what is owed. No index: it is always read whole, and short.
CREATE TABLE omoide.owed_change (
  storage_id smallint NOT NULL,
  media bigint NOT NULL,
  bytes bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0);
INSERT INTO omoide.owed_change (storage_id, media, bytes)
SELECT d.storage_id, count(*), sum(d.size) FROM omoide.delivery d GROUP BY d.storage_id;

-- Of each block, by the storages that have a media: how many those are. Media that are in the inbox and
-- nowhere else are not counted.
CREATE TABLE omoide.holding (
  block bigint NOT NULL,
  released boolean NOT NULL,
  -- Ascending. Empty: purged, or not brought back by `rebuild` yet.
  holders smallint[] NOT NULL,
  media bigint NOT NULL,
  bytes bigint NOT NULL,
  -- Media that may share a path with other bytes (the view shared_paths).
  suspects bigint NOT NULL,
  PRIMARY KEY (block, released, holders)
);
CREATE INDEX holding_suspects ON omoide.holding (block) WHERE suspects > 0;
-- The sum over all blocks.
CREATE TABLE omoide.holding_total (
  released boolean NOT NULL,
  holders smallint[] NOT NULL,
  media bigint NOT NULL,
  bytes bigint NOT NULL,
  PRIMARY KEY (released, holders)
) WITH (fillfactor = 50);
-- Blocks that are no longer as they were counted.
CREATE TABLE omoide.holding_mark (block bigint NOT NULL)
  WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);
-- All that there are. `inbox init` counts them after this transaction, in short ones.
INSERT INTO omoide.holding_mark (block)
WITH RECURSIVE each (block) AS (
  SELECT min(m.id) >> 12 FROM omoide.media m
  UNION ALL
  SELECT (SELECT min(m.id) >> 12 FROM omoide.media m WHERE m.id >= (each.block + 1) << 12)
  FROM each WHERE each.block IS NOT NULL
)
SELECT each.block FROM each WHERE each.block IS NOT NULL;

-- What is where it is not expected, which is little: for shared_paths.
CREATE INDEX stored_elsewhere ON omoide.stored (media_id) WHERE path IS NOT NULL;
-- What is parked, which is mostly nothing.
CREATE INDEX delivery_parked ON omoide.delivery (storage_id) WHERE parked_at IS NOT NULL;
-- The earliest of a generation first.
DROP INDEX omoide.media_generation;
CREATE INDEX media_generation ON omoide.media (generation, id) WHERE released_at IS NULL;

-- The functions' files are applied later: until then these let nothing in.
CREATE FUNCTION omoide.note_deliveries()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'functions/note_deliveries.sql has not been applied';
END $$;
CREATE FUNCTION omoide.note_receipts()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'functions/note_receipts.sql has not been applied';
END $$;
CREATE FUNCTION omoide.note_media()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'functions/note_media.sql has not been applied';
END $$;

CREATE TRIGGER delivery_added AFTER INSERT ON omoide.delivery
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_deliveries();
CREATE TRIGGER delivery_gone AFTER DELETE ON omoide.delivery
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_deliveries();
CREATE TRIGGER delivery_emptied AFTER TRUNCATE ON omoide.delivery
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_deliveries();

CREATE TRIGGER stored_added AFTER INSERT ON omoide.stored
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();
CREATE TRIGGER stored_changed AFTER UPDATE ON omoide.stored
  REFERENCING OLD TABLE AS gone NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();
CREATE TRIGGER stored_gone AFTER DELETE ON omoide.stored
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();
CREATE TRIGGER stored_emptied AFTER TRUNCATE ON omoide.stored
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_receipts();

-- A submit inserts what is not released, so its one row costs a look at a null.
CREATE TRIGGER media_added AFTER INSERT ON omoide.media
  FOR EACH ROW WHEN (NEW.released_at IS NOT NULL) EXECUTE FUNCTION omoide.note_media();
CREATE TRIGGER media_changed AFTER UPDATE ON omoide.media
  REFERENCING OLD TABLE AS gone NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_media();
CREATE TRIGGER media_gone AFTER DELETE ON omoide.media
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_media();
CREATE TRIGGER media_emptied AFTER TRUNCATE ON omoide.media
  FOR EACH STATEMENT EXECUTE FUNCTION omoide.note_media();

-- functions/ and views/ have what took their place.
DROP VIEW IF EXISTS omoide.copies, omoide.storage_status, omoide.shared_paths, omoide.generation_status;
DROP FUNCTION IF EXISTS omoide.count_copies(), omoide.owe(bigint);
