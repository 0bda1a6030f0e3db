-- All that must hold before a worker may store, in the order in which an administrator would fix it.
-- Internal.
CREATE OR REPLACE FUNCTION omoide.fit_storage(p_schema_version int, p_storage text, p_identity uuid)
RETURNS omoide.storage LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_storage omoide.storage;
BEGIN
  SELECT * INTO v_storage FROM omoide.storage s WHERE s.role = session_user;
  IF NOT FOUND THEN
    -- Raises OM020.
    PERFORM omoide.own_storage();
  ELSIF v_storage.name IS DISTINCT FROM p_storage THEN
    RAISE EXCEPTION USING ERRCODE = 'OM020',
      MESSAGE = format('the role %s belongs to the storage %s, not to %s',
        session_user, v_storage.name, coalesce(quote_literal(p_storage), 'none')),
      HINT = format('Log in as %s, or start the worker with --storage %s.',
        omoide.role_of(p_storage), v_storage.name);
  END IF;
  PERFORM omoide.refuse_other_version(p_schema_version, 'worker');
  PERFORM omoide.own_storage();
  PERFORM omoide.refuse_other_identity(v_storage, p_identity);
  PERFORM omoide.refuse_distrusted(v_storage);
  RETURN v_storage;
END $$;
