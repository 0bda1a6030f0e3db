-- Lets the blobs of these media leave: deletes the rows that say that they wait, and recycle() takes their bytes
-- away with those of their generation. A later statement than acknowledge(), with a snapshot of its own: of two
-- storages that acknowledge last at the same moment, the one that commits second sees both receipts here. Where
-- both see both, SKIP LOCKED gives the media to one and the other goes on without waiting. Within one transaction
-- with its acknowledge, under repeatable read or serializable, neither might see the other's: then sweep() does it.
-- A serialization failure has changed nothing: the caller tries again, or leaves it to sweep().
CREATE OR REPLACE FUNCTION omoide.release(p_ids bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
DECLARE
  v_required smallint[];
  v_trusted boolean;
  v_copies int;
  v_ids bigint[];
  v_bytes bigint;
BEGIN
  PERFORM omoide.own_storage();
  SELECT array_agg(s.id), bool_and(s.distrusted_at IS NULL) INTO v_required, v_trusted
  FROM omoide.storage s WHERE s.retired_at IS NULL;
  SELECT t.min_copies INTO STRICT v_copies FROM omoide.settings t;
  IF NOT v_trusted OR cardinality(v_required) < v_copies THEN RETURN 0; END IF;
  WITH ripe AS MATERIALIZED (
    SELECT w.media_id FROM omoide.waiting w
    WHERE w.media_id = ANY (p_ids)
      AND (
        SELECT count(*) FROM omoide.stored r
        WHERE r.media_id = w.media_id AND r.storage_id = ANY (v_required)
      ) = cardinality(v_required)
      AND (SELECT count(*) FROM omoide.delivery d WHERE d.media_id = w.media_id) = 0
    FOR UPDATE SKIP LOCKED
  )
  SELECT array_agg(ripe.media_id) INTO v_ids FROM ripe;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  -- Once more, in a snapshot that was taken after the rows were locked: whoever takes back a receipt writes
  -- the row of waiting first. (A transaction with an older snapshot, under repeatable read or serializable,
  -- fails at the lock, since taking back writes that row.)
  SELECT array_agg(s.id), bool_and(s.distrusted_at IS NULL) INTO v_required, v_trusted
  FROM omoide.storage s WHERE s.retired_at IS NULL;
  IF NOT v_trusted OR cardinality(v_required) < v_copies THEN RETURN 0; END IF;
  WITH gone AS (
    DELETE FROM omoide.waiting w
    WHERE w.media_id = ANY (v_ids)
      AND (
        SELECT count(*) FROM omoide.stored r
        WHERE r.media_id = w.media_id AND r.storage_id = ANY (v_required)
      ) = cardinality(v_required)
      AND (SELECT count(*) FROM omoide.delivery d WHERE d.media_id = w.media_id) = 0
    RETURNING w.media_id, w.size
  )
  SELECT array_agg(g.media_id), sum(g.size) INTO v_ids, v_bytes FROM gone g;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  PERFORM omoide.tally_inbox(-v_bytes, -cardinality(v_ids));
  RETURN cardinality(v_ids);
END $$;
