-- Marks the blocks of media that a statement has released, or changed or removed after that. A trigger's.
-- Internal. A submit's media is in no storage yet, and so not counted.
CREATE OR REPLACE FUNCTION omoide.note_media()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO omoide.holding_mark (block) VALUES (NEW.id >> 12);
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO omoide.holding_mark (block)
    SELECT DISTINCT a.id >> 12 FROM added a WHERE a.released_at IS NOT NULL
    UNION
    SELECT g.id >> 12 FROM gone g WHERE g.released_at IS NOT NULL;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO omoide.holding_mark (block) SELECT DISTINCT g.id >> 12 FROM gone g;
  ELSE
    INSERT INTO omoide.holding_mark (block) SELECT DISTINCT h.block FROM omoide.holding h;
  END IF;
  RETURN NULL;
END $$;
