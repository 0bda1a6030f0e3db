-- A program goes by the schema that it was written for. Internal.
CREATE OR REPLACE FUNCTION omoide.refuse_other_version(p_schema_version int)
RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_version int;
BEGIN
  SELECT s.schema_version INTO STRICT v_version FROM omoide.settings s;
  IF v_version IS DISTINCT FROM p_schema_version THEN
    RAISE EXCEPTION USING ERRCODE = 'OM025',
      MESSAGE = format('the program is written for version %s of the inbox''s schema, which has version %s',
        p_schema_version, v_version),
      HINT = CASE WHEN v_version < p_schema_version
        THEN 'The database is older: run `inbox init` of the program''s release.'
        ELSE 'The program is older: install the release that ran `inbox init`.' END;
  END IF;
END $$;
