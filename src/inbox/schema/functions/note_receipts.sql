-- Marks the blocks of which a statement has changed receipts, or released media. A trigger's. Internal.
-- Also if a block is marked already: that mark may be another snapshot's, which does not see this change.
CREATE OR REPLACE FUNCTION omoide.note_receipts()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO omoide.holding_mark (block) SELECT DISTINCT h.block FROM omoide.holding h;
    RETURN NULL;
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    INSERT INTO omoide.holding_mark (block) SELECT DISTINCT a.media_id >> 12 FROM added a;
  END IF;
  IF TG_OP IN ('DELETE', 'UPDATE') THEN
    INSERT INTO omoide.holding_mark (block) SELECT DISTINCT g.media_id >> 12 FROM gone g;
  END IF;
  RETURN NULL;
END $$;
