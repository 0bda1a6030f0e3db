-- A root that is not the one registered, as an error. Internal.
CREATE OR REPLACE FUNCTION omoide.refuse_other_identity(p_storage omoide.storage, p_identity uuid)
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_storage.identity IS DISTINCT FROM p_identity THEN
    RAISE EXCEPTION USING ERRCODE = 'OM021',
      MESSAGE = format('the root''s identity is %s, the storage %s was registered with %s',
        coalesce(p_identity::text, 'unknown'), p_storage.name, p_storage.identity),
      HINT = 'Another storage''s disk is mounted there, or --root names another directory.';
  END IF;
END $$;
