/** What a benchmark leaves when it is interrupted: nothing. */
import { INTERRUPTIONS } from "../lib/interruptions.ts";
import { printError } from "../../src/terminal.ts";
import { readProcesses, treeOf } from "./processors.ts";

/** How long PostgreSQL may take to end at once, in milliseconds. */
const PATIENCE_MS = 5_000;
const LOOK_EVERY_MS = 10;

/**
 * Until it is disposed of, a signal ends whatever this program has started, removes `directory`, and ends the
 * program.
 *
 * Without a turn of the event loop: whoever waited for one of those processes would go on, report its end as
 * an error, and start the next.
 */
export class Interruption implements Disposable {
  readonly #listeners = new Map<Deno.Signal, () => void>();

  constructor(directory: string) {
    for (const [name, code] of Object.entries(INTERRUPTIONS)) {
      const signal = name as keyof typeof INTERRUPTIONS;
      const listener = () => {
        printError(`bench: ${signal}: cleaning up`);
        endDescendants();
        Deno.removeSync(directory, { recursive: true });
        Deno.exit(code);
      };
      Deno.addSignalListener(signal, listener);
      this.#listeners.set(signal, listener);
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}

/**
 * PostgreSQL's first process is asked to end at once, which frees its shared memory; all others, and whatever
 * stays, are killed. Its backends lose their parent before they end, so who has been seen is waited for.
 */
function endDescendants(): void {
  const seen = new Set<number>();
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const processes = new Map([...readProcesses()].map((each) => [each.pid, each]));
    for (const { pid, program } of treeOf(processes, Deno.pid).slice(1)) {
      if (seen.has(pid)) continue;
      seen.add(pid);
      signalTo(pid, program === "postgres" ? "SIGQUIT" : "SIGKILL");
    }
    const left = [...seen].filter((pid) => processes.get(pid)?.isRunning);
    if (left.length === 0) return;
    if (performance.now() > deadline) { for (const pid of left) signalTo(pid, "SIGKILL"); }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_EVERY_MS);
  }
}

function signalTo(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
