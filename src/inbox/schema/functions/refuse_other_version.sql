-- A program goes by the schema that it was written for. Internal.
CREATE OR REPLACE FUNCTION omoide.refuse_other_version(p_schema_version int, p_program text)
RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_version int;
BEGIN
  SELECT s.schema_version INTO STRICT v_version FROM omoide.settings s;
  IF v_version IS DISTINCT FROM p_schema_version THEN
    RAISE EXCEPTION USING ERRCODE = 'OM025',
      MESSAGE = format('the %s is written for version %s of the inbox''s schema, which has version %s',
        p_program, p_schema_version, v_version),
      HINT = CASE WHEN v_version < p_schema_version
        THEN format('The database is older: run `inbox init` of the %s''s release.', p_program)
        ELSE format('The %s is older: install the release that ran `inbox init`.', p_program) END;
  END IF;
END $$;
