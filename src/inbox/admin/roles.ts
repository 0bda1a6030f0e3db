/**
 * The inbox's roles. Roles belong to the whole cluster, not to one database, so each carries its inbox's
 * name in its own (../role_names.ts) and its inbox's UUID in its comment, and one that does not is never
 * touched: it is not this inbox's.
 */
import { ConfigurationError } from "../../errors.ts";
import type { Connection } from "../connect.ts";
import { scramVerifier } from "./scram_verifier.ts";

/** What a role may do as a role; its rights on objects are in schema/rights.sql. */
interface RoleForm {
  readonly login: boolean;
  /** Sessions at once; the server has 100 by default. */
  readonly connections: number;
  /** What its sessions begin with, whatever it has set for itself. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Every role that logs in begins in the isolation that the functions are written for. They hold under any
 * other, but a caller meets serialization failures there.
 */
const COMMON = {
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  // See ../session_settings.ts.
  jit: "off",
};

/**
 * The last four can be set by a superuser only, so this role can't take them back: no sort of its own
 * fills the disk, and no statement of 1 GB, nor an error that quotes one, ends in the server's log.
 */
const APPLICATION = {
  ...COMMON,
  statement_timeout: "5min",
  idle_in_transaction_session_timeout: "1min",
  temp_file_limit: "64MB",
  log_min_messages: "fatal",
  log_min_error_statement: "panic",
  session_replication_role: "origin",
};

/** A worker never waits inside a transaction, except for its disk while a COPY runs: not idle. */
const WORKER = {
  ...COMMON,
  idle_in_transaction_session_timeout: "1min",
  temp_file_limit: "256MB",
};

/** Of one worker's session; see `InboxSession`. */
export const WORKER_CONNECTIONS = 4;

export const FORMS = {
  owner: { login: false, connections: 0, settings: {} },
  app: { login: true, connections: 60, settings: APPLICATION },
  monitor: {
    login: true,
    connections: 5,
    settings: { ...COMMON, statement_timeout: "30s", temp_file_limit: "64MB" },
  },
  scrub: { login: true, connections: 3, settings: WORKER },
} as const satisfies Record<string, RoleForm>;

/** A storage's role: each lane may have a worker of its own, and two more stand by or come back. */
export function workerForm(lanes: number): RoleForm {
  return { login: true, connections: WORKER_CONNECTIONS * (lanes + 2), settings: WORKER };
}

/** The comment of every role of an inbox. */
export function markOf(inbox: string): string {
  return `omoide inbox ${inbox}`;
}

/**
 * Creates the role or puts it right: attributes, limits, and everything it has set for itself in any
 * database. Its password stays as it is, unless one is given.
 *
 * @throws {ConfigurationError} when the role is not this inbox's, or has been made a member of another
 */
export async function ensureRole(
  connection: Connection,
  inbox: string,
  name: string,
  form: RoleForm,
  password?: string,
): Promise<void> {
  const role = connection.escapeIdentifier(name);
  const mark = markOf(inbox);
  const { rows: [existing] } = await connection.query<{ comment: string | null }>(
    "SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_authid WHERE rolname = $1",
    [name],
  );
  if (existing === undefined) {
    await connection.query(`CREATE ROLE ${role}`);
    await connection.query(`COMMENT ON ROLE ${role} IS ${connection.escapeLiteral(mark)}`);
  } else if (existing.comment !== mark) {
    throw new ConfigurationError(
      `Cannot use the role ${name}: this inbox (${inbox}) did not create it` +
        (existing.comment === null ? "" : `, its comment is ${JSON.stringify(existing.comment)}`) +
        "; roles without a name are one inbox's. A second one in the cluster gets a name: " +
        "`inbox init --name NAME`. If the role is " +
        "left over from a database that is gone, drop it: " +
        `REASSIGN OWNED and DROP OWNED BY ${name} in each database, DROP ROLE ${name}`,
    );
  }
  await refuseMemberships(connection, name, form, mark);
  await connection.query(
    `ALTER ROLE ${role} ${form.login ? "LOGIN" : "NOLOGIN"} NOSUPERUSER NOCREATEDB NOCREATEROLE ` +
      `NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT ${form.connections}`,
  );
  if (password !== undefined) {
    const verifier = connection.escapeLiteral(scramVerifier(password));
    await connection.query(`ALTER ROLE ${role} PASSWORD ${verifier}`);
  }
  await resetSettings(connection, name, role, form.settings);
}

async function resetSettings(
  connection: Connection,
  name: string,
  role: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const { rows } = await connection.query<{ database: string | null }>(
    "SELECT d.datname AS database FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole " +
      "LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = $1",
    [name],
  );
  for (const { database } of rows) {
    const where = database === null ? "" : ` IN DATABASE ${connection.escapeIdentifier(database)}`;
    await connection.query(`ALTER ROLE ${role}${where} RESET ALL`);
  }
  for (const [setting, value] of Object.entries(settings)) {
    await connection.query(
      `ALTER ROLE ${role} SET ${setting} = ${connection.escapeLiteral(value)}`,
    );
  }
}

/** Only the owner may be a member of others, of the inbox's own: see schema/rights.sql. */
async function refuseMemberships(
  connection: Connection,
  name: string,
  form: RoleForm,
  mark: string,
): Promise<void> {
  const { rows } = await connection.query<{ granted: string; comment: string | null }>(
    "SELECT g.rolname AS granted, shobj_description(g.oid, 'pg_authid') AS comment FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid " +
      "JOIN pg_roles m ON m.oid = a.member WHERE m.rolname = $1",
    [name],
  );
  const foreign = rows.find(({ comment }) => form.login || comment !== mark);
  if (foreign === undefined) return;
  throw new ConfigurationError(
    `Cannot use the role ${name}: it has been made a member of ${foreign.granted} and could do what ` +
      `that role can; REVOKE ${foreign.granted} FROM ${name}`,
  );
}
