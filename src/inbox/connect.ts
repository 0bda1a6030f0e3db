import type { Duplex } from "node:stream";
import { ConfigurationError, DatabaseUnavailableError } from "../errors.ts";
import { type DatabaseAddress, showAddress } from "./database_url.ts";
import { pg } from "./pg.ts";
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

/**
 * The kernel's answer to packets that are silently dropped (IPAddressDeny, a firewall, a dead host) is
 * to hang, so connecting has a bound of its own. 10 s is three lost SYNs (1 + 2 + 4 s).
 */
const CONNECT_TIMEOUT_MS = 10_000;

/** The driver knows this timeout, its published types do not. */
const SETTINGS: pg.QueryConfig & { readonly query_timeout: number } = {
  text: SESSION_SETTINGS,
  query_timeout: CONNECT_TIMEOUT_MS,
};

/** SQLSTATEs of a refused login, with their fix. */
const REFUSED: Record<string, string> = {
  "28000": "the server refuses this role; see its pg_hba.conf, and whether the role may log in",
  "3D000": "there is no such database; see --database, and run `inbox init` first",
  "42501": "the role may not connect to this database; run `inbox init`, then `storage init`",
};

/**
 * Opens one connection to the inbox, with the settings that everything relies on (`SESSION_SETTINGS`).
 *
 * @param purpose shown in pg_stat_activity, as `omoide <purpose>`
 * @param socket takes the place of the driver's own
 * @throws {DatabaseUnavailableError} when trying again may help: refused, unreachable, starting up
 * @throws {ConfigurationError} when it cannot: password, role, database, certificate
 */
export async function connect(
  address: DatabaseAddress,
  credentials: Credentials,
  purpose: string,
  socket?: Duplex,
): Promise<Connection> {
  const client = new pg.Client({
    ...clientOptions(address, credentials, purpose),
    ...(socket === undefined ? {} : { stream: () => socket }),
  });
  // Without a listener, a connection that ends while idle would end the process.
  client.on("error", () => {});
  try {
    await client.connect();
    await useSettings(client);
  } catch (error) {
    client.end().catch(() => {});
    throw connectError(error, address, credentials);
  }
  return client;
}

/** Gives a new connection the settings that everything relies on. */
export async function useSettings(client: pg.ClientBase): Promise<void> {
  await client.query(SETTINGS);
}

/** What `pg` is given for a connection to the inbox. */
export function clientOptions(
  address: DatabaseAddress,
  credentials: Credentials,
  purpose: string,
): pg.ClientConfig {
  return {
    host: address.host,
    port: address.port,
    database: address.database,
    user: address.user,
    // A function, since `pg` looks into PGPASSWORD and ~/.pgpass when it is given nothing.
    password: () => credentials.password ?? "",
    ssl: tlsOptions(address, credentials),
    application_name: `omoide ${purpose}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

function tlsOptions(address: DatabaseAddress, credentials: Credentials) {
  if (address.tls === "disable") return false;
  const ca = credentials.ca === undefined ? {} : { ca: credentials.ca };
  return { ...ca, rejectUnauthorized: address.tls === "verify-full" };
}

/** The stream below a connection, which `pg` keeps beyond its published types. */
export function streamOf(connection: Connection): Duplex {
  return (connection as unknown as { connection: { stream: Duplex } }).connection.stream;
}

/** The server's process that it named at login, which `pg` keeps beyond its published types. */
export function processIdOf(connection: Connection): number | null {
  return (connection as unknown as { processID: number | null }).processID;
}

/** SQLSTATE of an error that the server sent, undefined for any other. */
export function sqlstateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** What could not be connected to, as an error on which a caller decides. */
export function connectError(
  error: unknown,
  address: DatabaseAddress,
  credentials: Credentials,
): Error {
  const where = showAddress(address);
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
  return new DatabaseUnavailableError(
    `Cannot reach the database at ${where}: ${message}; see that it runs and that this machine may reach it`,
    { cause: error },
  );
}
