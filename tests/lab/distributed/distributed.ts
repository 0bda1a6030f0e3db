import { run, until } from "../command.ts";
import { unmountAtLast } from "../mount.ts";
import type { Tool } from "../tool.ts";
import type { PrivateNetwork } from "./private_network.ts";

/** A distributed file system on this machine: three servers with data, and two mounts of it. */
export interface Distributed extends AsyncDisposable {
  readonly mounts: readonly [string, string];
  /** Kills one of the servers that have data. */
  killServer(): Promise<void>;
  startServer(): Promise<void>;
}

/** What ends with a file system, the last first. */
export class Parts implements AsyncDisposable {
  readonly #ends: (() => Promise<unknown>)[] = [];

  private constructor(readonly directory: string) {}

  static async in(prefix: string): Promise<Parts> {
    return new Parts(await Deno.makeTempDir({ prefix }));
  }

  /** The path of what is in its directory. */
  at(name: string): string {
    return `${this.directory}/${name}`;
  }

  async makeDirectories(...names: readonly string[]): Promise<void> {
    for (const name of names) await Deno.mkdir(this.at(name), { recursive: true });
  }

  async write(name: string, text: string): Promise<string> {
    await Deno.writeTextFile(this.at(name), text);
    return this.at(name);
  }

  /** Keeps a server until it is killed, or until the end. */
  keep(tool: Tool): Server {
    const server = new Server(tool);
    this.#ends.push(() => server.kill());
    return server;
  }

  atEnd(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  /** Mounts by a client that stays in the foreground. */
  async mount(name: string, client: (path: string) => Tool): Promise<string> {
    const path = this.at(name);
    await Deno.mkdir(path);
    const tool = client(path);
    this.#ends.push(async () => {
      const ended = tool.end();
      await unmountAtLast(path);
      await Promise.race([ended, tool.stop("SIGKILL").catch(() => {})]);
    });
    await until(
      `${name} is mounted`,
      () => run("mountpoint", "-q", path).then(() => true, () => false),
    );
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.reverse()) {
      await end().catch((error) => console.error(error));
    }
    await Deno.remove(this.directory, { recursive: true }).catch((error) => console.error(error));
  }
}

/** One that may be killed before its time. */
export class Server {
  #alive = true;

  constructor(private readonly tool: Tool) {}

  async kill(): Promise<void> {
    if (!this.#alive) return;
    this.#alive = false;
    await this.tool.stop("SIGKILL");
  }
}

/** Takes what has been made so far along where the rest of it fails. */
export async function startOn<T>(
  parts: Parts,
  network: PrivateNetwork,
  start: () => Promise<T>,
): Promise<T> {
  parts.atEnd(() => network[Symbol.asyncDispose]());
  try {
    return await start();
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}
