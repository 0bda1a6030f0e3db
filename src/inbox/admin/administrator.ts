import { ConfigurationError } from "../../errors.ts";
import { type Connection, isGone } from "../connect.ts";
import { inboxError } from "../inbox_error.ts";
import { serverTrouble, sqlstateOf } from "../server_error.ts";

/** PostgreSQL's own number for version 15. */
const OLDEST_SERVER = 150_000;

/**
 * Runs `work` in one transaction, as a superuser and alone in the whole cluster: the lock is on a catalog
 * that all databases share, since the roles are. Whoever logs in only reads it and does not wait.
 */
export async function asAdministrator<T>(
  connection: Connection,
  work: () => Promise<T>,
): Promise<T> {
  await refuseUnfitServer(connection);
  await connection.query(
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL search_path = pg_catalog, pg_temp; " +
      "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0; " +
      "SET LOCAL client_min_messages = warning",
  );
  try {
    await connection.query("LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE");
    const result = await work();
    await connection.query("COMMIT");
    return result;
  } catch (error) {
    await connection.query("ROLLBACK").catch(() => {});
    if (sqlstateOf(error) === "55P03") {
      throw new ConfigurationError(
        "Cannot change the inbox: a transaction has held one of its tables, or the list of roles, for " +
          "a minute; see pg_stat_activity, end it, and run this again",
        { cause: error },
      );
    }
    if (sqlstateOf(error) === "40P01") {
      throw new ConfigurationError(
        "Cannot change the inbox: this and another transaction have waited for each other; nothing was " +
          "changed. Run this again; if it happens again, stop the workers meanwhile",
        { cause: error },
      );
    }
    throw serverTrouble(error) ?? (isGone(connection) ? inboxError(error) : error);
  }
}

async function refuseUnfitServer(connection: Connection): Promise<void> {
  const { rows: [server] } = await connection.query<
    { version: number; version_text: string; user: string; superuser: boolean; prepared: number }
  >(
    "SELECT current_setting('server_version_num')::int AS version, " +
      "current_setting('server_version') AS version_text, current_user AS user, " +
      "current_setting('is_superuser') = 'on' AS superuser, " +
      "current_setting('max_prepared_transactions')::int AS prepared",
  );
  if (server === undefined) throw new TypeError("the server said nothing about itself");
  if (server.version < OLDEST_SERVER) {
    throw new ConfigurationError(
      `Cannot use this server: it is PostgreSQL ${server.version_text}; upgrade it to 15 or newer`,
    );
  }
  if (!server.superuser) {
    throw new ConfigurationError(
      `Cannot change the inbox as ${server.user}: it creates roles and takes rights from everybody; ` +
        "give --database a superuser's URL",
    );
  }
  if (server.prepared > 0) {
    throw new ConfigurationError(
      `Cannot use this server: max_prepared_transactions is ${server.prepared}, so the application ` +
        "could leave transactions behind that keep every released blob on the disk for ever; " +
        "set it to 0 (the default) and restart the server",
    );
  }
}
