-- Marks the blocks of media that a statement has changed or removed. A trigger's. Internal.
-- Not those that are added: a submit's media is in no storage yet, and so not counted. What makes media that
-- never were in the inbox (`rebuild`) marks their blocks itself: a trigger would cost every submit.
CREATE OR REPLACE FUNCTION omoide.note_media()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    INSERT INTO omoide.holding_mark (block)
    SELECT DISTINCT a.id >> 12 FROM added a UNION SELECT g.id >> 12 FROM gone g;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO omoide.holding_mark (block) SELECT DISTINCT g.id >> 12 FROM gone g;
  ELSE
    INSERT INTO omoide.holding_mark (block) SELECT DISTINCT h.block FROM omoide.holding h;
  END IF;
  RETURN NULL;
END $$;
