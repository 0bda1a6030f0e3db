-- Notes what a statement has changed of what is owed. A trigger's. Internal.
CREATE OR REPLACE FUNCTION omoide.note_deliveries()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO omoide.owed_change (storage_id, media, bytes)
    SELECT a.storage_id, count(*), sum(a.size) FROM added a GROUP BY a.storage_id;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO omoide.owed_change (storage_id, media, bytes)
    SELECT g.storage_id, -count(*), -sum(g.size) FROM gone g GROUP BY g.storage_id;
  ELSE
    TRUNCATE omoide.owed_change;
  END IF;
  RETURN NULL;
END $$;
