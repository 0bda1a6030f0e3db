import { openInbox } from "../../src/inbox/admin/inbox.ts";
import { initInbox } from "../../src/inbox/admin/init_inbox.ts";
import { roleOf } from "../../src/inbox/role_names.ts";
import { initStorage } from "../../src/admin/init_storage.ts";
import { spawnWorker } from "../lib/spawn_worker.ts";
import { peakMemoryOf } from "./processors.ts";
import type { Server } from "./server.ts";
import { endProcess } from "../lib/end_process.ts";

export const STORAGES = ["hot", "cold"] as const;
export type StorageName = (typeof STORAGES)[number];

/** Makes an inbox and two storages, whose roots are `directory/hot` and `directory/cold`. */
export async function makeInbox(server: Server, directory: string): Promise<void> {
  const connection = await server.connect("bench");
  await initInbox(connection);
  await connection.end();
  await using inbox = await openInbox(server.url());
  for (const name of STORAGES) await initStorage(inbox, { name, root: `${directory}/${name}` });
}

/** @param role who it logs in as; its worker's unless given */
export function workerArguments(
  server: Server,
  directory: string,
  name: StorageName,
  role = roleOf(name),
): string[] {
  return [
    ...["--storage", name, "--root", `${directory}/${name}`, "--log-level", "error"],
    ...["--database", server.url(role, "verify-full")],
    ...(server.authority === null ? [] : ["--ca-file", server.authority]),
  ];
}

/** Workers in service, one process each. */
export class Workers implements AsyncDisposable {
  readonly #processes: Deno.ChildProcess[];
  #stopping = false;

  constructor(
    server: Server,
    directory: string,
    names: readonly StorageName[] = STORAGES,
    options: readonly string[] = [],
  ) {
    this.#processes = names.map((name) =>
      spawnWorker([...workerArguments(server, directory, name), ...options], {
        stdin: "null",
        stdout: "null",
        stderr: "inherit",
      })
    );
  }

  get pids(): number[] {
    return this.#processes.map(({ pid }) => pid);
  }

  /** Bytes, of the one that had more. */
  peakMemory(): number {
    return Math.max(...this.pids.map(peakMemoryOf));
  }

  /** Waits for `work`, which ends in an error if a worker ends before it. */
  async during<T>(work: Promise<T>): Promise<T> {
    const died = this.#processes.map(async ({ status }) => {
      const { code } = await status;
      if (this.#stopping) return await new Promise<never>(() => {});
      throw new Error(`a worker ended with exit code ${code}`);
    });
    return await Promise.race([work, ...died]);
  }

  /** As systemd would. */
  async stop(): Promise<void> {
    this.#stopping = true;
    // If one has ended by itself, `during` has said so.
    for (const process of this.#processes.splice(0)) await endProcess(process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
