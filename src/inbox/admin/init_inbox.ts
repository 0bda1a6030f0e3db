import { ConfigurationError } from "../../errors.ts";
import type { Connection } from "../connect.ts";
import {
  ASK_DURABILITY,
  type Durability,
  type DurabilityVerdict,
  judgeDurability,
} from "../durability.ts";
import { isInboxName, roleOf, scrubRole } from "../role_names.ts";
import { SCHEMA_VERSION } from "../schema_version.ts";
import { asAdministrator } from "./administrator.ts";
import { foldHoldings } from "./counters.ts";
import { applyDefinitions } from "./definitions.ts";
import { findInbox, type FoundInbox } from "./found_inbox.ts";
import { endSessions, migrate } from "./migrate.ts";
import { repairOwnership } from "./ownership.ts";
import { applyRights } from "./rights.ts";
import { ensureRole, FORMS, workerForm } from "./roles.ts";

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
  /** The migrations that were missing, as `8 tables`; all of them if the inbox is new. */
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
  // Again: who logged in during the commit saw the schema of before.
  if (done.applied.length > 0) await endSessions(connection);
  // What migration 16 has marked, in short transactions: 20 s for ten million media, beside running
  // workers. Where it is interrupted, their sweeps go on.
  await foldHoldings(connection);
  return done;
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
