-- The roles of this inbox that can log in. Internal.
CREATE OR REPLACE FUNCTION omoide.login_roles()
RETURNS SETOF name LANGUAGE sql STABLE AS $$
  SELECT omoide.role_of('app')
  UNION ALL SELECT omoide.role_of('monitor')
  UNION ALL SELECT s.role FROM omoide.storage s
  UNION ALL SELECT omoide.scrub_role(s.role) FROM omoide.storage s
$$;
