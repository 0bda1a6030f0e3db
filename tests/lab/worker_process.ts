import { workerCommand } from "../../scripts/lib/spawn_worker.ts";
import { KILLED, ProgramProcess, type RunOptions } from "./program_process.ts";

export { KILLED };

/** A worker to be started. */
export interface WorkerPlan extends RunOptions {
  readonly storage: string;
  readonly root: string;
  /** Its servers are on this machine; `others` are the ports of those beside the first. */
  readonly database: {
    readonly port: number;
    readonly name: string;
    readonly others?: readonly number[];
    /** As `host:port`, of servers elsewhere; instead of the ports. */
    readonly hosts?: readonly string[];
  };
  /** The URL's `sslmode`. */
  readonly sslmode?: string;
  readonly passwordFile: string;
  /** Logs in as this role instead of the storage's own. */
  readonly role?: string;
  /** Further options of the worker, such as `--once`. */
  readonly args?: readonly string[];
}

/** A real worker. */
export class WorkerProcess extends ProgramProcess {
  static start(plan: WorkerPlan): WorkerProcess {
    return new WorkerProcess(workerCommand(argumentsOf(plan)), plan);
  }

  /** Runs it to its end. */
  static async run(plan: WorkerPlan): Promise<{ code: number; output: string }> {
    await using worker = WorkerProcess.start(plan);
    const { code } = await worker.ended;
    return { code, output: worker.output };
  }
}

function argumentsOf(plan: WorkerPlan): string[] {
  const { storage, root, database, passwordFile, role, sslmode } = plan;
  const user = role === undefined ? "" : `${role}@`;
  const query = sslmode === undefined ? "" : `?sslmode=${sslmode}`;
  const hosts = database.hosts ??
    [database.port, ...database.others ?? []].map((port) => `127.0.0.1:${port}`);
  return [
    ...["--storage", storage, "--root", root, "--password-file", passwordFile],
    ...["--database", `postgres://${user}${hosts.join(",")}/${database.name}${query}`],
    ...(plan.args ?? []),
  ];
}
