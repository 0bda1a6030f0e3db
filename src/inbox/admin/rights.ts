import type { Connection } from "../connect.ts";
import { roleOf } from "../role_names.ts";
import { RIGHTS } from "../schema/migrations.ts";
import { markOf } from "./roles.ts";

/**
 * Gives every role of the inbox exactly its own, and takes from the cluster's other inboxes whatever their
 * roles have been given here by hand. Needs the functions in place, and a superuser's transaction.
 */
export async function applyRights(
  connection: Connection,
  inbox: string,
  inboxName: string,
): Promise<void> {
  await shutOut(connection, inbox);
  // As psql: not the second colon of a cast.
  const rights = RIGHTS.replace(
    /(?<!:):(owner|app|monitor)\b/g,
    (_, who: string) => connection.escapeIdentifier(roleOf(who, inboxName)),
  );
  await connection.query(rights);
}

/** Other inboxes' roles, known by their comment: they are one namespace with this one's. */
async function shutOut(connection: Connection, inbox: string): Promise<void> {
  const { rows } = await connection.query<{ role: string; database: string }>(
    "SELECT r.rolname AS role, current_database() AS database FROM pg_roles r " +
      "WHERE shobj_description(r.oid, 'pg_authid') LIKE $1 " +
      "AND shobj_description(r.oid, 'pg_authid') <> $2",
    [markOf("%"), markOf(inbox)],
  );
  if (rows[0] === undefined) return;
  const all = rows.map(({ role }) => connection.escapeIdentifier(role)).join(", ");
  const database = connection.escapeIdentifier(rows[0].database);
  await connection.query(
    `REVOKE ALL ON DATABASE ${database} FROM ${all}; REVOKE ALL ON SCHEMA omoide FROM ${all}; ` +
      `REVOKE ALL ON ALL TABLES IN SCHEMA omoide FROM ${all}; ` +
      `REVOKE ALL ON ALL SEQUENCES IN SCHEMA omoide FROM ${all}; ` +
      `REVOKE ALL ON ALL ROUTINES IN SCHEMA omoide FROM ${all}`,
  );
}
