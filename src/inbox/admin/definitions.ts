import type { Connection } from "../connect.ts";
import { FUNCTIONS } from "../schema/functions.ts";
import { VIEWS } from "../schema/views.ts";

/**
 * Puts every function and view in place as its file has it, also one that was changed by hand. Needs the
 * tables as the newest migration leaves them, and a superuser's transaction.
 *
 * @param owner the role that owns them
 */
export async function applyDefinitions(connection: Connection, owner: string): Promise<void> {
  await asOwner(
    connection,
    owner,
    `SET LOCAL check_function_bodies = off; ${Object.values(FUNCTIONS).join("\n")}
    SET LOCAL check_function_bodies = on`,
  );
  const stale = await staleViews(connection);
  await asOwner(connection, owner, stale.map((name) => VIEWS[name]).join("\n"));
}

/**
 * Views that are not as their files say. Only these are replaced: that waits for whoever reads the view,
 * and holds up whoever comes after, so `inbox init` beside a slow worker's COPY would stop the others.
 */
export async function staleViews(connection: Connection): Promise<string[]> {
  const names = Object.keys(VIEWS);
  const copies = names.map((name) => `pg_temp.${name}`);
  await connection.query(
    names.map((name) => VIEWS[name]?.replace(`omoide.${name}`, `pg_temp.${name}`)).join("\n"),
  );
  // Both as the server prints them: what it stores of a view is not its text.
  const { rows } = await connection.query<{ name: string }>(
    `SELECT v.name FROM unnest($1::text[]) AS v (name)
    LEFT JOIN pg_class c ON c.oid = to_regclass('omoide.' || v.name)
    JOIN pg_class f ON f.oid = to_regclass('pg_temp.' || v.name)
    WHERE c.oid IS NULL OR pg_get_viewdef(c.oid) <> pg_get_viewdef(f.oid)
      OR c.reloptions IS DISTINCT FROM f.reloptions`,
    [names],
  );
  await connection.query(`DROP VIEW ${copies.join(", ")}`);
  return rows.map(({ name }) => name);
}

async function asOwner(connection: Connection, owner: string, sql: string): Promise<void> {
  await connection.query(
    `SET LOCAL ROLE ${connection.escapeIdentifier(owner)}; ${sql}; RESET ROLE`,
  );
}
