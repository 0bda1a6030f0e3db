import { roleOf } from "../../src/inbox/role_names.ts";
import { permissionFlags, workerNeeds } from "../../src/sandbox.ts";
import { parseWorkerOptions } from "../../src/worker/options.ts";
import { EmbeddedPostgres } from "../lib/embedded_postgres.ts";
import { spawnWorker } from "../lib/spawn_worker.ts";
import { type Keeping, KeptProcess } from "./kept_process.ts";

const ADMIN = new URL("../../src/admin/main.ts", import.meta.url).pathname;

export interface DemoStorage {
  readonly name: string;
  readonly root: string;
}

/** A database, two storages, two workers: each made by the command that an administrator would use. */
export class DemoSystem {
  readonly storages: readonly DemoStorage[];
  readonly #workers = new Map<string, KeptProcess>();

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

  /** Starts a worker for each storage. @returns the permissions under which each runs */
  startWorkers(
    keeping: Keeping,
  ): { readonly name: string; readonly pid: number; readonly flags: string[] }[] {
    return this.storages.map(({ name, root }) => {
      const args = [
        ...["--storage", name, "--root", root, "--database", this.urlOf(roleOf(name))],
        ...["--log-level", "warning"],
      ];
      const spawn = () => spawnWorker(args, { stdin: "null", stdout: "null", stderr: "inherit" });
      const worker = new KeptProcess(`the worker of ${name}`, spawn, keeping);
      this.#workers.set(name, worker);
      return {
        name,
        pid: worker.pid,
        flags: permissionFlags(workerNeeds(parseWorkerOptions(args))),
      };
    });
  }

  /** Resolves, with what happened, when a worker ends that nobody stopped. */
  async workerDied(): Promise<string> {
    return await Promise.race([...this.#workers.values()].map(({ ended }) => ended));
  }

  /** Stops the workers as systemd would. Returns their exit codes. */
  async stopWorkers(): Promise<{ readonly name: string; readonly code: number }[]> {
    const workers = [...this.#workers];
    this.#workers.clear();
    return await Promise.all(
      workers.map(async ([name, worker]) => ({ name, code: await worker.end() })),
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
