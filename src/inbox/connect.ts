import type { Duplex } from "node:stream";
import { defined } from "../defined.ts";
import { ConfigurationError, DatabaseUnavailableError } from "../errors.ts";
import type { Timeline } from "../timeline.ts";
import { type DatabaseAddress, type DatabaseServer, showAddress } from "./database_url.ts";
import { noteTimeline, refuseOldTimeline } from "./newest_timelines.ts";
import { pg } from "./pg.ts";
import { onFirstServer } from "./servers.ts";
import { sqlstateOf, stateOfServer } from "./server_error.ts";
import { SESSION_SETTINGS } from "./session_settings.ts";

export type Connection = pg.Client;

/** What one connection needs beside its address. */
export interface Credentials {
  /** Trailing newline removed; absent if the server asks for none. */
  readonly password?: string;
  /** Where whoever runs this program puts the password, for errors; `--password-file` unless given. */
  readonly passwordFrom?: string;
  /** PEM certificates of the authority that signed the server's; the system's own where absent. */
  readonly ca?: string;
}

/** SQLSTATEs of a refused login, with their fix. */
const REFUSED: Record<string, string> = {
  "28000": "the server refuses this role; see its pg_hba.conf, and whether the role may log in",
  "3D000": "there is no such database; see --database, and run `inbox init` first",
  "42501":
    "the role may not connect to this database; run `inbox init`, then `storage init`, and name the role " +
    "in --database if the inbox has a name",
};

/**
 * Opens one connection to the inbox, at the first server of the address that is what it asks for.
 *
 * @param purpose shown in pg_stat_activity, as `omoide <purpose>`
 * @throws {DatabaseUnavailableError} when trying again may help: refused, unreachable, starting up, standby
 * @throws {ConfigurationError} when it cannot: password, role, database, certificate
 */
export async function connect(
  address: DatabaseAddress,
  credentials: Credentials,
  purpose: string,
): Promise<Connection> {
  return await onFirstServer(address, (server) => connectTo(server, credentials, purpose));
}

/**
 * Opens one connection to this server, with the settings that everything relies on (`SESSION_SETTINGS`).
 * Errors as `connect`.
 *
 * @param socket takes the place of the driver's own, and encrypts where the server asks for it
 */
export async function connectTo(
  server: DatabaseServer,
  credentials: Credentials,
  purpose: string,
  socket?: Duplex,
): Promise<Connection> {
  const client = new pg.Client({
    ...clientOptions(server, credentials, purpose),
    ...(socket === undefined ? {} : { stream: () => socket, ssl: false }),
  });
  // Without a listener, a connection that ends while idle would end the process.
  client.on("error", () => {});
  try {
    await client.connect();
    await prepare(client, server);
  } catch (error) {
    // Not waited for: what counts is why there is none.
    client.end().catch(() => {});
    throw connectError(error, server, credentials);
  }
  return client;
}

/**
 * What the server is, and whether it can be what is asked for, before the session has settings of its own.
 * Read-only counts where the server's configuration says it, which is how an old primary is fenced off; that a
 * role has set it for itself changes nothing.
 */
const ASK_STATE = `
  SELECT s.standby, c.system_identifier::text AS cluster, pg_postmaster_start_time()::text AS started,
    CASE WHEN NOT s.standby THEN
      ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint::text
    END AS timeline,
    current_setting('default_transaction_read_only') = 'on' AND EXISTS (
      SELECT FROM pg_settings WHERE name = 'default_transaction_read_only'
        AND source IN ('configuration file', 'command line')
    ) AS fenced
  FROM (SELECT pg_is_in_recovery() AS standby) s, pg_control_system() c`;

interface StateRow {
  readonly standby: boolean;
  readonly cluster: string;
  readonly started: string;
  readonly timeline: string | null;
  readonly fenced: boolean;
}

/** What a server was when a connection to it was opened. */
export interface ServerState {
  /** Null of a standby. */
  readonly timeline: Timeline | null;
  /** Tells one run of one server from every other. */
  readonly run: string;
}

const STATES = new WeakMap<pg.ClientBase, ServerState>();

/** Of a connection that `connectTo` or `prepare` has made ready. */
export function serverStateOf(connection: pg.ClientBase): ServerState {
  const state = STATES.get(connection);
  if (state === undefined) throw new TypeError("this connection was not prepared");
  return state;
}

/**
 * Gives a new connection the settings that everything relies on.
 *
 * @throws {DatabaseUnavailableError} the server is not what `target_session_attrs` asks for, or an old
 *   primary
 */
export async function prepare(client: pg.ClientBase, server: DatabaseServer): Promise<void> {
  const results = await client.query(preparing(server.connectMs)) as unknown as pg.QueryResult[];
  const { standby, fenced, cluster, started, timeline: number } = results[0]?.rows[0] as StateRow;
  const timeline = number === null ? null : { cluster, number: Number(number) };
  STATES.set(client, { timeline, run: `${cluster} ${started}` });
  if (server.target === "any") return;
  const where = showAddress(server);
  if (standby) {
    throw new DatabaseUnavailableError(
      `The database at ${where} is a standby and takes no receipts; waiting for its promotion`,
    );
  }
  if (fenced && server.target === "read-write") {
    throw new DatabaseUnavailableError(
      `The database at ${where} is set read-only (default_transaction_read_only = on in its configuration); ` +
        "waiting until its administrator changes that",
    );
  }
  if (timeline === null) return;
  refuseOldTimeline(server, timeline);
  noteTimeline(timeline);
}

/** The driver knows this timeout, its published types do not. */
function preparing(ms: number): pg.QueryConfig & { readonly query_timeout: number } {
  // At least what a loaded server takes for its first answer, also where connecting is bounded closely.
  return { text: `${ASK_STATE}; ${SESSION_SETTINGS}`, query_timeout: Math.max(ms, 5_000) };
}

/** What `pg` is given for a connection to the inbox. */
export function clientOptions(
  server: DatabaseServer,
  credentials: Credentials,
  purpose: string,
): pg.ClientConfig {
  return {
    host: server.host,
    port: server.port,
    database: server.database,
    user: server.user,
    // A function, since `pg` looks into PGPASSWORD and ~/.pgpass when it is given nothing.
    password: () => credentials.password ?? "",
    ssl: tlsOptions(server, credentials),
    application_name: `omoide ${purpose}`,
    connectionTimeoutMillis: server.connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

function tlsOptions(server: DatabaseServer, credentials: Credentials) {
  if (server.tls === "disable") return false;
  const { ca } = credentials;
  return { ...defined({ ca }), rejectUnauthorized: server.tls === "verify-full" };
}

/** The stream below a connection, which `pg` keeps beyond its published types. */
export function streamOf(connection: pg.ClientBase): Duplex {
  return (connection as unknown as { connection: { stream: Duplex } }).connection.stream;
}

/**
 * Whether the connection has ended, whoever ended it. A server that ends one says so first: from then on the
 * driver takes no statement (which it keeps beyond its published types), though the stream ends a moment later.
 */
export function isGone(connection: Connection): boolean {
  const { _queryable: takesStatements } = connection as unknown as { _queryable: boolean };
  return !takesStatements || streamOf(connection).destroyed;
}

/** The server's process that it named at login, which `pg` keeps beyond its published types. */
export function processIdOf(connection: Connection): number | null {
  return (connection as unknown as { processID: number | null }).processID;
}

/** What could not be connected to, as an error on which a caller decides. */
export function connectError(
  error: unknown,
  server: DatabaseServer,
  credentials: Credentials,
): Error {
  if (error instanceof DatabaseUnavailableError || error instanceof ConfigurationError) {
    return error;
  }
  const where = showAddress(server);
  const message = error instanceof Error && error.message !== "" ? error.message : String(error);
  const { passwordFrom = "the file that --password-file names" } = credentials;
  const state = sqlstateOf(error) ?? "";
  const fix = state === "28P01"
    ? `the password is wrong; put the role's password into ${passwordFrom}`
    : REFUSED[state];
  if (fix !== undefined) {
    return new ConfigurationError(`Cannot log in to ${where}: ${message}; ${fix}`, {
      cause: error,
    });
  }
  if (/SASL|password must be a string/i.test(message)) {
    return new ConfigurationError(
      `Cannot log in to ${where}: the server asks for a password (${message}); put it into ${passwordFrom}`,
      { cause: error },
    );
  }
  if (/certificate|self.signed|does not support SSL/i.test(message)) {
    return new ConfigurationError(
      `Cannot trust the server at ${where}: ${message}; see sslmode in --database, and --ca-file`,
      { cause: error },
    );
  }
  const why = stateOfServer(error) ??
    `${message}; see that it runs and that this machine may reach it`;
  return new DatabaseUnavailableError(`Cannot reach the database at ${where}: ${why}`, {
    cause: error,
  });
}
