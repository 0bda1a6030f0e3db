-- The storage that this session's role may scrub. Internal.
CREATE OR REPLACE FUNCTION omoide.scrub_storage()
RETURNS omoide.storage LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_storage omoide.storage;
BEGIN
  SELECT * INTO v_storage FROM omoide.storage s WHERE omoide.scrub_role(s.role) = session_user;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'OM020',
      MESSAGE = format('the role %s scrubs no storage of this inbox', session_user),
      HINT = format('Log in as %s, and see that `storage init NAME` was run on this database.',
        omoide.scrub_role(omoide.role_of('NAME')));
  ELSIF v_storage.retired_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM024',
      MESSAGE = format('the storage %s was retired on %s', v_storage.name,
        to_char(v_storage.retired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
      HINT = 'Stop its scrub.';
  END IF;
  RETURN v_storage;
END $$;
