-- The storage of this session's role. Internal.
CREATE OR REPLACE FUNCTION omoide.own_storage()
RETURNS omoide.storage LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_storage omoide.storage;
BEGIN
  SELECT * INTO v_storage FROM omoide.storage s WHERE s.role = session_user;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'OM020',
      MESSAGE = format('the role %s belongs to no storage of this inbox', session_user),
      HINT = format('Log in as %s, and see that `storage init NAME` was run on this database.',
        omoide.role_of('NAME'));
  ELSIF v_storage.retired_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM024',
      MESSAGE = format('the storage %s was retired on %s', v_storage.name,
        to_char(v_storage.retired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
      HINT = 'Stop its worker. A retired storage does not come back; register a new one.';
  END IF;
  RETURN v_storage;
END $$;
