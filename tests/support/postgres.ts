/**
 * A real PostgreSQL for one test file, in the oldest and the newest version that Omoide supports, and as
 * Debian installs it.
 */
import { dirname } from "node:path";
import {
  EmbeddedPostgres,
  type PostgresOptions,
  type PostgresVersion,
} from "../../scripts/lib/embedded_postgres.ts";
import { type Connection } from "../../src/inbox/connect.ts";
import { initInbox } from "../../src/inbox/admin/init_inbox.ts";
import { pg } from "../../src/inbox/pg.ts";
import { registerStorage } from "../../src/inbox/admin/register_storage.ts";
import { requireTools } from "./require_tool.ts";

/** `deno task test:fast` looks at the oldest alone. */
const FAST = Deno.env.get("OMOIDE_FAST") === "true";

export const VERSIONS: readonly PostgresVersion[] = FAST ? [15] : [15, 18];

/** A packaged version, or the newest that this machine has from Debian. */
export type ServerKind = PostgresVersion | "Debian's";

/**
 * Also as Debian builds and sets it up: with JIT, OpenSSL and a locale that sorts by language, which the
 * packaged builds lack. For tests that are cheap and ask what a role may do or what a function answers.
 */
export const EVERY_SERVER: readonly ServerKind[] = [...VERSIONS, ...debianIfInstalled()];

function debianIfInstalled(): ServerKind[] {
  if (FAST) return [];
  return requireTools([debianBinaries() ?? "Debian's PostgreSQL"]).ignore ? [] : ["Debian's"];
}

/** A server with what tests do to it. */
export interface TestPostgres extends AsyncDisposable {
  readonly server: EmbeddedPostgres;
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

/** The newest installed version's. @returns undefined where there is none that Omoide supports */
export function debianBinaries(): string | undefined {
  const directory = "/usr/lib/postgresql";
  try {
    const versions = [...Deno.readDirSync(directory)].map(({ name }) => Number(name));
    const newest = Math.max(...versions.filter((version) => version >= 15));
    return Number.isFinite(newest) ? `${directory}/${newest}/bin/postgres` : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A server for what survives no crash, without fsync. */
export function startServer(kind: ServerKind): Promise<TestPostgres> {
  if (kind !== "Debian's") return startPostgres({ version: kind, fsync: false });
  const binaries = dirname(debianBinaries() ?? "");
  return startPostgres({ binaries, locale: "C.UTF-8", fsync: false });
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

/** An inbox with two storages, `hot` and `cold`, in a database of its own. */
export interface TestInbox {
  readonly pg: TestPostgres;
  readonly database: string;
  /** The inbox's UUID. */
  readonly inbox: string;
  /** The storages' identities. */
  readonly identities: Readonly<Record<"hot" | "cold", string>>;
  /** A superuser's connection. */
  readonly admin: Connection;
  /** A connection as that role: `app`, `monitor`, or a storage's name. */
  as(role: string): Promise<Connection>;
}

/** The identities of the storages that tests register. */
export const IDENTITIES = {
  hot: "00000000-0000-4000-8000-000000000001",
  cold: "00000000-0000-4000-8000-000000000002",
  third: "00000000-0000-4000-8000-000000000003",
};

/**
 * An empty inbox in a new database. The second on one server costs 0.1 s: it is a copy of the first as it
 * was, with the same UUID, since a cluster's roles belong to one inbox.
 */
export async function makeInbox(pg: TestPostgres): Promise<TestInbox> {
  let template = TEMPLATES.get(pg);
  if (template === undefined) {
    template = pg.createDatabase().then(async (name) => {
      const connection = await pg.connect(name);
      await initInbox(connection);
      for (const name of ["hot", "cold"] as const) {
        await registerStorage(connection, { name, identity: IDENTITIES[name], prefixSize: 2 });
      }
      await connection.end();
      return name;
    });
    TEMPLATES.set(pg, template);
  }
  const database = await pg.createDatabase(await template);
  const admin = await pg.connect(database);
  // Rights on the database itself are not copied with it.
  const { inbox } = await initInbox(admin);
  return {
    pg,
    database,
    inbox,
    identities: IDENTITIES,
    admin,
    as: (role) => pg.connect(database, `omoide_${role}`),
  };
}

const TEMPLATES = new WeakMap<TestPostgres, Promise<string>>();
