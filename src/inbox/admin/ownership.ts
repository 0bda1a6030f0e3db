import type { Connection } from "../connect.ts";

/**
 * Gives everything in the schema to its owner's role again. A restore into a new cluster leaves it with the
 * superuser who restored: functions that any role may call then run as superuser, and the next migration,
 * run as that role, is refused.
 *
 * @param owner the role
 * @returns what had another owner, as PostgreSQL calls it (`table omoide.media`)
 */
export async function repairOwnership(connection: Connection, owner: string): Promise<string[]> {
  const { rows } = await connection.query<{ object: string }>(FOREIGN, [owner]);
  const role = connection.escapeIdentifier(owner);
  for (const { object } of rows) await connection.query(`ALTER ${object} OWNER TO ${role}`);
  return rows.map(({ object }) => object);
}

/** Indexes, and the sequences of identity columns, follow their tables. */
const FOREIGN = `
  SELECT o.object FROM (
    SELECT 'SCHEMA omoide' AS object, n.nspowner AS owner FROM pg_namespace n
      WHERE n.nspname = 'omoide'
    UNION ALL
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW ' WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END
        || c.oid::regclass, c.relowner
      FROM pg_class c
      WHERE c.relnamespace = to_regnamespace('omoide') AND c.relkind IN ('r', 'p', 'v', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
          AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
    UNION ALL
    SELECT 'TYPE ' || t.oid::regtype, t.typowner
      FROM pg_type t WHERE t.typnamespace = to_regnamespace('omoide') AND t.typtype = 'e'
    UNION ALL
    SELECT 'ROUTINE ' || p.oid::regprocedure, p.proowner FROM pg_proc p
      WHERE p.pronamespace = to_regnamespace('omoide')
  ) o WHERE o.owner <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = $1) ORDER BY o.object`;
