-- SECURITY DEFINER: before PostgreSQL 18 a deferred trigger runs as whoever commits, who may not read
-- opened.
CREATE OR REPLACE FUNCTION omoide.refuse_unsealed()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM omoide.opened o WHERE o.media_id = NEW.media_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'OM012',
      MESSAGE = format('media %s was opened and not sealed', NEW.media_id),
      HINT = 'Nothing of this transaction was stored. Call seal_media before it commits.';
  END IF;
  RETURN NULL;
END $$;
