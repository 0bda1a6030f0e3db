import type { Connection } from "../connect.ts";
import { roleOf } from "../role_names.ts";
import { MIGRATIONS } from "../schema/migrations.ts";
import { SCHEMA_VERSION } from "../schema_version.ts";
import type { FoundInbox } from "./found_inbox.ts";

/**
 * Runs the migrations that an inbox lacks, one of version 0 all of them, as the owner's role: it then owns
 * what they make.
 *
 * @returns those that were run, as `8 tables`
 */
export async function migrate(
  connection: Connection,
  { inbox, name: inboxName, schemaVersion: from }: FoundInbox,
): Promise<string[]> {
  const owner = connection.escapeIdentifier(roleOf("owner", inboxName));
  const missing = MIGRATIONS.filter(({ version }) => version > from);
  if (from === 0) await connection.query(`CREATE SCHEMA omoide AUTHORIZATION ${owner}`);
  // Also if nothing is missing: a restore may have brought neither.
  await connection.query(
    `GRANT USAGE ON LANGUAGE plpgsql TO ${owner}; ` +
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} REVOKE ALL ON FUNCTIONS FROM PUBLIC`,
  );
  if (missing.length === 0) return [];
  await connection.query(`SET LOCAL ROLE ${owner}`);
  for (const { version, name, sql } of missing) {
    await connection.query(sql);
    await connection.query("INSERT INTO omoide.migration (version, name) VALUES ($1, $2)", [
      version,
      name,
    ]);
  }
  await connection.query(
    "INSERT INTO omoide.settings (inbox, inbox_name, schema_version) VALUES ($1, $2, $3) " +
      "ON CONFLICT (only_row) DO UPDATE SET schema_version = excluded.schema_version",
    [inbox, inboxName, SCHEMA_VERSION],
  );
  await connection.query("RESET ROLE");
  return missing.map(({ version, name }) => `${version} ${name}`);
}

/**
 * Ends the sessions of the inbox's roles, last before the commit, and once more after it. Whoever waits for a table
 * that a migration has replaced would go on in the old body of a function, and hear of a missing column, or of damage
 * ("could not open relation"). Ended, a program logs in again, and one that is written for the older schema is told
 * so, instead of working on with the newer one until it loses its connection.
 */
export async function endSessions(connection: Connection): Promise<void> {
  await connection.query(
    "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a " +
      "WHERE a.datname = current_database() AND a.usename IN (SELECT omoide.login_roles())",
  );
}
