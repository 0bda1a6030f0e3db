import { endProcess } from "../lib/end_process.ts";
import { sleep } from "../../src/sleep.ts";

/** As the units have it, and long enough for Ctrl-C, which a terminal sends to everybody, to be heard here too. */
const RESTART_MS = 2_000;

export interface Keeping {
  /** Whoever is killed, or asked to stop, comes back, as under systemd; else any end is a failure. */
  readonly isRevived: boolean;
  /** Ends the coming back. */
  readonly stop: AbortSignal;
}

/** One of the demo's programs. */
export class KeptProcess implements AsyncDisposable {
  #process: Deno.ChildProcess;
  #isStopping = false;
  /** Resolves, with what happened, when it ends and does not come back. */
  readonly ended: Promise<string>;

  constructor(
    readonly name: string,
    private readonly spawn: () => Deno.ChildProcess,
    private readonly keeping: Keeping,
  ) {
    this.#process = spawn();
    this.ended = this.#watch();
  }

  get pid(): number {
    return this.#process.pid;
  }

  async #watch(): Promise<string> {
    const { isRevived, stop } = this.keeping;
    for (;;) {
      const { code, signal } = await this.#process.status;
      const comesBack = isRevived && (signal !== null || code === 0);
      if (comesBack) await sleep(RESTART_MS, stop);
      if (this.#isStopping || stop.aborted) return await new Promise<never>(() => {});
      if (!comesBack) return `${this.name} ended with exit code ${code}`;
      this.#process = this.spawn();
      console.log(`${this.name} had ended; here it is again, process ${this.pid}`);
    }
  }

  /** Stops it as systemd would. @returns its exit code */
  async end(): Promise<number> {
    this.#isStopping = true;
    return (await endProcess(this.#process)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
