import type { Connection } from "../../../src/inbox/connect.ts";
import { rowsOf } from "./inbox_test.ts";

/**
 * One line for each fact, in the same words on every PostgreSQL: what only some versions have (NOT NULL as
 * constraints, the owner's own MAINTAIN) is left out. Bodies are not here: src/inbox/schema/functions/ and
 * views/ have them, and a test compares.
 */
const FACTS: Record<string, string> = {
  schema: `
    SELECT 'owner ' || nspowner::regrole FROM pg_namespace WHERE nspname = 'omoide'`,
  "rights on database, schemas, language": `
    SELECT what || ': ' || coalesce(grantee::text, 'PUBLIC') || ' ' || privilege_type FROM (
      SELECT 'database' AS what, datdba AS owner, coalesce(datacl, acldefault('d', datdba)) AS acl
        FROM pg_database WHERE datname = current_database()
      UNION ALL SELECT 'schema ' || nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner))
        FROM pg_namespace WHERE nspname IN ('omoide', 'public')
      UNION ALL SELECT 'language ' || lanname, lanowner, coalesce(lanacl, acldefault('l', lanowner))
        FROM pg_language WHERE lanname = 'plpgsql'
    ) o CROSS JOIN LATERAL (
      SELECT nullif(e.grantee, 0)::regrole AS grantee, e.privilege_type FROM aclexplode(o.acl) e
      WHERE e.grantee <> o.owner
    ) a`,
  "what PUBLIC may still call of what is closed": `
    SELECT DISTINCT p.proname::text FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (p.proname ~ '^lo_|^lo(read|write)$'
      OR p.proname ~ '^pg_.*advisory' OR p.proname IN ('pg_logical_emit_message', 'pg_export_snapshot', 'pg_terminate_backend',
          'pg_cancel_backend', 'pg_stat_get_activity', 'pg_stat_get_backend_activity'))
      AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e
        WHERE e.grantee = 0)`,
  columns: `
    SELECT format('%s.%s %s%s%s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attnotnull THEN ' not null' ELSE '' END,
      ' default ' || pg_get_expr(d.adbin, d.adrelid),
      CASE a.attidentity WHEN 'a' THEN ' identity' ELSE '' END,
      CASE WHEN a.attstorage = 'e' THEN ' external' ELSE '' END)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'omoide'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0`,
  relations: `
    SELECT format('%s %s owner %s %s', c.relkind, c.relname, c.relowner::regrole,
      (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) o))
    FROM pg_class c WHERE c.relnamespace = 'omoide'::regnamespace AND c.relkind NOT IN ('i', 'I')`,
  types: `
    SELECT format('%s owner %s %s', t.oid::regtype, t.typowner::regrole,
      (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e
        WHERE e.enumtypid = t.oid))
    FROM pg_type t WHERE t.typnamespace = 'omoide'::regnamespace AND t.typtype = 'e'`,
  generations: `
    SELECT count(*) || ' generations ' || min(b) || ' to ' || max(b) FROM (
      SELECT pg_get_expr(c.relpartbound, c.oid) AS b FROM pg_class c
      WHERE c.relnamespace = 'omoide'::regnamespace AND c.relkind = 'r' AND c.relispartition
    ) p`,
  "options of TOAST": `
    SELECT c.relname || ' ' || o FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid
    CROSS JOIN unnest(t.reloptions) o WHERE c.relnamespace = 'omoide'::regnamespace`,
  constraints: `
    SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'omoide'::regnamespace AND contype <> 'n' AND conrelid <> 0`,
  indexes: `
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'omoide'`,
  triggers: `
    SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'omoide'::regnamespace AND NOT t.tgisinternal`,
  functions: `
    SELECT format('%s returns %s owner %s %s%s%s', p.oid::regprocedure,
      pg_get_function_result(p.oid), p.proowner::regrole,
      CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
      CASE WHEN p.prosecdef THEN ' definer' ELSE '' END,
      ' set ' || array_to_string(p.proconfig, '; '))
    FROM pg_proc p WHERE p.pronamespace = 'omoide'::regnamespace`,
  "rights on tables and views": `
    SELECT format('%s: %s %s', c.relname, coalesce(nullif(e.grantee, 0)::regrole::text, 'PUBLIC'),
      e.privilege_type)
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) e
    WHERE c.relnamespace = 'omoide'::regnamespace AND e.grantee <> c.relowner`,
  "rights on functions": `
    SELECT format('%s: %s', p.oid::regprocedure,
      coalesce(nullif(e.grantee, 0)::regrole::text, 'PUBLIC'))
    FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e
    WHERE p.pronamespace = 'omoide'::regnamespace AND e.grantee <> p.proowner`,
  "default rights": `
    SELECT format('%s %s', d.defaclrole::regrole, d.defaclacl::text) FROM pg_default_acl d`,
  roles: `
    SELECT format('%s%s%s limit %s', rolname, CASE WHEN rolcanlogin THEN ' login' ELSE '' END,
      CASE WHEN rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
        THEN ' MORE THAN A ROLE' ELSE '' END, rolconnlimit)
    FROM pg_roles WHERE rolname LIKE 'omoide%'`,
  memberships: `
    SELECT member::regrole || ' is a member of ' || roleid::regrole FROM pg_auth_members
    WHERE member::regrole::text LIKE 'omoide%'`,
  "settings of roles": `
    SELECT r.rolname || ' ' || c FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
    CROSS JOIN unnest(s.setconfig) c`,
};

/** The schema as it is in this database, as `schema.txt` keeps it; what all generations share, once. */
export async function describeSchema(connection: Connection): Promise<string> {
  await connection.query("SET search_path = pg_catalog");
  const parts: string[] = [];
  for (const [subject, query] of Object.entries(FACTS)) {
    const rows = await rowsOf<{ fact: string }>(
      connection,
      `SELECT DISTINCT regexp_replace(fact, 'media_chunk_[0-9]+', 'media_chunk_N', 'g') COLLATE "C" AS fact
      FROM (${query}) AS facts (fact) ORDER BY 1`,
    );
    parts.push(`# ${subject}\n${rows.map(({ fact }) => `${fact.trim()}\n`).join("")}`);
  }
  return parts.join("\n");
}
