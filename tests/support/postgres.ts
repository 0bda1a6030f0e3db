/** A real PostgreSQL for one test file, in the oldest and the newest version that Omoide supports. */
import {
  EmbeddedPostgres,
  type PostgresOptions,
  type PostgresVersion,
} from "../../scripts/lib/embedded_postgres.ts";
import { type Connection } from "../../src/inbox/connect.ts";
import { pg } from "../../src/inbox/pg.ts";

export const VERSIONS: readonly PostgresVersion[] = [15, 18];

/** A server with what tests do to it. */
export interface TestPostgres extends AsyncDisposable {
  readonly server: EmbeddedPostgres;
  readonly version: PostgresVersion;
  readonly port: number;
  /** The address of a database as a role sees it; the superuser's where none is named. */
  url(database?: string, user?: string): string;
  /** Makes an empty database, or a copy of one that nobody is connected to; returns its name. */
  createDatabase(template?: string): Promise<string>;
  /** A connection that `stop` closes where the test did not. */
  connect(database: string, user?: string): Promise<Connection>;
  restart(): Promise<void>;
  /** Ends at once, as a crash; `startAgain` brings it back. */
  kill(): Promise<void>;
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a cluster of its own in about a second. fsync stays on unless the options say otherwise. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const server = await EmbeddedPostgres.start(options);
  const open = new Set<Connection>();
  let databases = 0;

  async function connect(database: string, user?: string): Promise<Connection> {
    const client = new pg.Client({ connectionString: server.url(database, user) });
    client.on("error", () => {});
    client.on("end", () => open.delete(client));
    await client.connect();
    open.add(client);
    return client;
  }

  async function createDatabase(template?: string): Promise<string> {
    const name = `test_${++databases}`;
    const client = await connect("postgres");
    try {
      const from = template === undefined ? "" : ` TEMPLATE ${template} STRATEGY file_copy`;
      await client.query(`CREATE DATABASE ${name}${from}`);
    } finally {
      await client.end();
    }
    return name;
  }

  async function stop(): Promise<void> {
    for (const client of open) client.end().catch(() => {});
    await server.stop();
  }

  return {
    server,
    version: options.version ?? 18,
    get port() {
      return server.port;
    },
    url: (database, user) => server.url(database, user),
    createDatabase,
    connect,
    restart: () => server.restart(),
    kill: () => server.kill(),
    startAgain: () => server.startAgain(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
