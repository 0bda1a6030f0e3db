import { roleOf } from "../../src/inbox/role_names.ts";
import { permissionFlags, workerNeeds } from "../../src/sandbox.ts";
import { parseWorkerOptions } from "../../src/worker/options.ts";
import { EmbeddedPostgres } from "../lib/embedded_postgres.ts";
import { spawnWorker } from "../lib/spawn_worker.ts";
import { endProcess } from "../lib/end_process.ts";

const ADMIN = new URL("../../src/admin/main.ts", import.meta.url).pathname;

export interface DemoStorage {
  readonly name: string;
  readonly root: string;
}

/** A database, two storages, two workers: each made by the command that an administrator would use. */
export class DemoSystem {
  readonly storages: readonly DemoStorage[];
  readonly #workers: { readonly name: string; readonly process: Deno.ChildProcess }[] = [];
  #stopping = false;

  private constructor(readonly postgres: EmbeddedPostgres, readonly directory: string) {
    this.storages = ["hot", "cold"].map((name) => ({ name, root: `${directory}/${name}` }));
  }

  /** @param directory absolute, real, empty; the database goes there too where `keep` is set */
  static async start(directory: string, keep: boolean): Promise<DemoSystem> {
    const kept = `${directory}/postgres`;
    if (keep) await Deno.mkdir(kept);
    const where = keep ? { directory: kept } : {};
    const postgres = await EmbeddedPostgres.start(where);
    return new DemoSystem(postgres, directory);
  }

  get adminUrl(): string {
    return this.postgres.url();
  }

  urlOf(role: string): string {
    return this.postgres.url(undefined, role);
  }

  async initialise(): Promise<void> {
    await admin(["inbox", "init", "--database", this.adminUrl]);
    for (const { name, root } of this.storages) {
      await admin(["storage", "init", name, root, "--database", this.adminUrl]);
    }
  }

  /** Starts a worker for each storage and prints the permissions under which each runs. */
  startWorkers(): { readonly name: string; readonly pid: number; readonly flags: string[] }[] {
    return this.storages.map(({ name, root }) => {
      const args = [
        ...["--storage", name, "--root", root, "--database", this.urlOf(roleOf(name))],
        ...["--log-level", "warning"],
      ];
      const process = spawnWorker(args, { stdin: "null", stdout: "null", stderr: "inherit" });
      this.#workers.push({ name, process });
      return {
        name,
        pid: process.pid,
        flags: permissionFlags(workerNeeds(parseWorkerOptions(args))),
      };
    });
  }

  /** Resolves, with what happened, when a worker ends that nobody stopped. */
  async workerDied(): Promise<string> {
    return await Promise.race(this.#workers.map(async ({ name, process }) => {
      const { code } = await process.status;
      if (this.#stopping) return await new Promise<never>(() => {});
      return `the worker of ${name} ended with exit code ${code}`;
    }));
  }

  /** Stops the workers as systemd would. Returns their exit codes. */
  async stopWorkers(): Promise<{ readonly name: string; readonly code: number }[]> {
    this.#stopping = true;
    return await Promise.all(
      this.#workers.splice(0).map(async ({ name, process }) => ({
        name,
        code: (await endProcess(process)).code,
      })),
    );
  }

  async stop(): Promise<void> {
    await this.stopWorkers();
    await this.postgres.stop();
  }
}

/** Runs an administrator's command. @returns what it says @throws {Error} what it says instead */
export async function admin(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ADMIN, ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(decoder.decode(stderr).trim());
  return decoder.decode(stdout);
}
