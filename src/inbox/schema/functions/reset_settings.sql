-- Takes back the defaults that a role of the inbox has given itself, once they are more than a few. Every
-- role may, and no right takes that away; a value of 60 MB made each later login last 13.6 s.
-- Counted as text: pg_column_size is what compression leaves of it, 1 byte of 90.
--
-- The one function that belongs to a superuser (rights.sql), since no other role may reset another's
-- settings. It takes no arguments. What the role could not set for itself stays. Whatever prevents it, such
-- as the role's own open transaction, is left for the next sweep. Internal.
CREATE OR REPLACE FUNCTION omoide.reset_settings()
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms' AS $$
DECLARE
  v_change text;
BEGIN
  FOR v_change IN
    SELECT format('ALTER ROLE %I %s RESET %I', r.rolname,
      'IN DATABASE ' || quote_ident(d.datname), split_part(c.setting, '=', 1))
    FROM pg_db_role_setting s
    JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    CROSS JOIN LATERAL unnest(s.setconfig) AS c (setting)
    WHERE octet_length(s.setconfig::text) > 2000 AND NOT r.rolsuper
      AND r.rolname IN (SELECT omoide.login_roles())
      AND NOT EXISTS (
        SELECT FROM pg_settings g
        WHERE g.name = split_part(c.setting, '=', 1) AND g.context = 'superuser'
      )
  LOOP
    EXECUTE v_change;
  END LOOP;
EXCEPTION WHEN OTHERS THEN
  RETURN;
END $$;
