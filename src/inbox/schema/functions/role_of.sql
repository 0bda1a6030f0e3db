-- The role of 'owner', 'app', 'monitor', or of a storage's worker by the storage's name. Roles are one
-- namespace for the whole cluster, so those of an inbox that has a name carry it. As roleOf in
-- ../role_names.ts, which says more. Internal.
CREATE OR REPLACE FUNCTION omoide.role_of(p_who text)
RETURNS name LANGUAGE sql STABLE AS $$
  SELECT ('omoide_' || CASE s.inbox_name WHEN '' THEN '' ELSE s.inbox_name || '_' END || p_who)::name
  FROM omoide.settings s
$$;
