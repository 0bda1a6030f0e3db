import { ConfigurationError } from "../../errors.ts";
import {
  ASK_DURABILITY,
  type Durability,
  type DurabilityVerdict,
  judgeDurability,
} from "../durability.ts";
import { type Connection, isGone } from "../connect.ts";
import { foldHoldings } from "./counters.ts";
import { applyDefinitions } from "./definitions.ts";
import { repairOwnership } from "./ownership.ts";
import { applyRights } from "./rights.ts";
import { ensureRole, FORMS, workerForm } from "./roles.ts";
import { inboxError } from "../inbox_error.ts";
import { serverTrouble, sqlstateOf } from "../server_error.ts";
import { isInboxName, roleOf, scrubRole } from "../role_names.ts";
import { MIGRATIONS } from "../schema/migrations.ts";
import { SCHEMA_VERSION } from "../schema_version.ts";

/** PostgreSQL's own number for version 15. */
const OLDEST_SERVER = 150_000;

/** The oldest schema that can be brought up to date; none before it was released. */
const OLDEST_SCHEMA = MIGRATIONS[0]?.version ?? SCHEMA_VERSION;

/** What an administrator may say of an inbox. */
export interface InboxChoices {
  /** The UUID that a new inbox gets: of one that was lost, to which its storages belong. */
  readonly uuid?: string;
  /** What a new inbox is called, and its roles carry (role_names.ts); one that is there keeps its name. */
  readonly name?: string;
  /** The new password of the monitor's role, which keeps its own otherwise. */
  readonly monitorPassword?: string;
}

/** What `initInbox` found and did. */
export interface InitializedInbox {
  /** The inbox's UUID. */
  readonly inbox: string;
  /** Empty if it has none. */
  readonly name: string;
  readonly schemaVersion: number;
  /** The migrations that were missing, as `1 tables`; all of them if the inbox is new. */
  readonly applied: readonly string[];
  /** What this program leaves alone and an administrator may want to fix, one sentence each. */
  readonly warnings: readonly string[];
  /** Whether the database itself keeps what it commits. */
  readonly durability: DurabilityVerdict;
}

/**
 * Creates the inbox in this database, or brings it up to date: schema, roles, rights. May be run at any
 * time, also beside running workers, and repairs what has been changed by hand: functions, views, rights,
 * and what the roles have set for themselves. Twenty at once do it once and wait for each other.
 *
 * @param connection a superuser's
 * @throws {ConfigurationError} when the server, the role or the database is not fit, with the fix
 */
export async function initInbox(
  connection: Connection,
  choices: InboxChoices = {},
): Promise<InitializedInbox> {
  refuseUnfitName(choices.name);
  const done = await asAdministrator(connection, async () => {
    const found = await findInbox(connection);
    if (found !== null) refuseOther(found, choices);
    const inbox = found?.inbox ?? choices.uuid ?? crypto.randomUUID();
    const name = found?.name ?? choices.name ?? "";
    const [owner, app, monitor] = [
      roleOf("owner", name),
      roleOf("app", name),
      roleOf("monitor", name),
    ];
    await ensureRole(connection, inbox, owner, FORMS.owner);
    await ensureRole(connection, inbox, app, FORMS.app);
    await ensureRole(connection, inbox, monitor, FORMS.monitor, choices.monitorPassword);
    await repairOwnership(connection, owner);
    const applied = await migrate(connection, {
      inbox,
      name,
      schemaVersion: found?.schemaVersion ?? 0,
    });
    await applyDefinitions(connection, owner);
    const { rows } = await connection.query<{ role: string; lanes: number }>(
      "SELECT role, lanes FROM omoide.storage",
    );
    for (const { role, lanes } of rows) {
      await ensureRole(connection, inbox, role, workerForm(lanes));
      await ensureRole(connection, inbox, scrubRole(role), FORMS.scrub);
    }
    await applyRights(connection, inbox, name);
    const { rows: [durability] } = await connection.query<Durability>(ASK_DURABILITY);
    if (durability === undefined) throw new TypeError("the database said nothing about itself");
    const warnings = await closeOtherDatabases(connection, app);
    if (found !== null && applied.length > 0) await endSessions(connection);
    return {
      inbox,
      name,
      schemaVersion: SCHEMA_VERSION,
      applied,
      warnings,
      durability: judgeDurability(durability),
    };
  });
  // What migration 16 has marked, in short transactions: 20 s for ten million media, beside running
  // workers. Where it is interrupted, their sweeps go on.
  await foldHoldings(connection);
  return done;
}

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

function refuseUnfitName(name: string | undefined): void {
  if (name === undefined || isInboxName(name)) return;
  throw new ConfigurationError(
    `Cannot call an inbox ${
      JSON.stringify(name)
    }: a name is a small letter and up to 17 small letters ` +
      "or digits",
  );
}

/** UUID and name are what storages and workers know an inbox by, so they stay. */
function refuseOther(found: FoundInbox, { uuid, name }: InboxChoices): void {
  if (uuid !== undefined && found.inbox !== uuid) {
    throw new ConfigurationError(
      `Cannot make this the inbox ${uuid}: it is ${found.inbox} already; use a new database`,
    );
  }
  if (name !== undefined && found.name !== name) {
    throw new ConfigurationError(
      `Cannot call this inbox ${JSON.stringify(name)}: ` +
        (found.name === "" ? "it was made without a name" : `its name is ${found.name}`) +
        ", which its workers log in by and which never changes; leave --name out, or use a new database",
    );
  }
}

/** Of `omoide.settings s`, also in a version that had no names. */
export const ASK_NAME = "coalesce(to_jsonb(s) ->> 'inbox_name', '')";

interface FoundInbox {
  readonly inbox: string;
  readonly name: string;
  readonly schemaVersion: number;
}

/** The inbox in this database, or null if there is no schema `omoide` yet. */
async function findInbox(connection: Connection): Promise<FoundInbox | null> {
  const { rows: [found] } = await connection.query<{ schema: boolean; settings: boolean }>(
    "SELECT to_regnamespace('omoide') IS NOT NULL AS schema, " +
      "to_regclass('omoide.settings') IS NOT NULL AS settings",
  );
  if (found?.schema !== true) return null;
  if (!found.settings) {
    throw new ConfigurationError(
      "Cannot create the inbox: this database has a schema `omoide` that is something else; " +
        "use a database of its own",
    );
  }
  const { rows: [inbox] } = await connection.query<
    { inbox: string; name: string; schema_version: number }
  >(`SELECT inbox, ${ASK_NAME} AS name, schema_version FROM omoide.settings s`);
  if (inbox === undefined) {
    throw new ConfigurationError(
      "Cannot use this inbox: its table omoide.settings is empty; restore it from a backup",
    );
  }
  if (inbox.schema_version < OLDEST_SCHEMA) {
    throw new ConfigurationError(
      `Cannot use this inbox: its schema has version ${inbox.schema_version}, which no release made; ` +
        `bring it to ${OLDEST_SCHEMA} with the program that made it, or use a new database`,
    );
  }
  if (inbox.schema_version > SCHEMA_VERSION) {
    throw new ConfigurationError(
      `Cannot use this inbox: its schema has version ${inbox.schema_version}, this program knows ` +
        `${SCHEMA_VERSION}; use the release that made it, or a newer one`,
    );
  }
  return { inbox: inbox.inbox, name: inbox.name, schemaVersion: inbox.schema_version };
}

/** Runs what is missing as the owner's role, whose it is then. */
async function migrate(
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
 * Ends the sessions of the inbox's roles, last before the commit. Whoever waits for a table that a migration has
 * replaced would go on in the old body of a function, and hear of a missing column, or of damage ("could not open
 * relation"). Ended, a program logs in again, and one that is written for the older schema is told so, instead of
 * working on with the newer one until it loses its connection.
 */
async function endSessions(connection: Connection): Promise<void> {
  await connection.query(
    "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a " +
      "WHERE a.datname = current_database() AND a.usename IN (SELECT omoide.login_roles())",
  );
}

/**
 * The roles can log in to every database of the cluster that PUBLIC may connect to, and there have
 * temporary tables and large objects that no limit counts. The two that PostgreSQL itself makes are closed
 * (superusers still come in); any other is not Omoide's, so it is only named.
 */
async function closeOtherDatabases(connection: Connection, app: string): Promise<string[]> {
  const { rows: made } = await connection.query<{ name: string }>(
    "SELECT datname AS name FROM pg_database WHERE datname IN ('postgres', 'template1')",
  );
  for (const { name } of made) {
    await connection.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  }
  const { rows } = await connection.query<{ name: string }>(
    "SELECT datname AS name FROM pg_database WHERE datallowconn AND datname <> current_database() " +
      "AND has_database_privilege($1, oid, 'CONNECT') ORDER BY datname",
    [app],
  );
  return rows.map(({ name }) =>
    `The application's role can connect to the database ${name} of this cluster too, and fill its disk ` +
    `there; REVOKE ALL ON DATABASE ${
      connection.escapeIdentifier(name)
    } FROM PUBLIC, or refuse it in ` +
    "pg_hba.conf"
  );
}
