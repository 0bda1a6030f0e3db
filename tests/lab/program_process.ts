import { straced, type TraceOptions } from "./strace.ts";

/** How a program is run. */
export interface RunOptions {
  /** A program with its arguments that runs it, such as setpriv. */
  readonly under?: readonly string[];
  /** Run it under strace. */
  readonly trace?: TraceOptions;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs as this user instead of root. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** The exit code of a program that SIGKILL has ended, under strace too, which then ends itself by it. */
export const KILLED = 128 + 9;

/** A program of this project in a process of its own, from source, under its real permission flags. */
export class ProgramProcess implements AsyncDisposable {
  readonly ended: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #listeners = new Set<() => void>();
  #output = "";
  #over = false;

  readonly #isTraced: boolean;

  /** @param args of deno, as `denoArguments` gives them */
  constructor(args: readonly string[], { under = [], trace, env, user }: RunOptions = {}) {
    const plain = [...under, Deno.execPath(), ...args];
    const command = trace === undefined ? plain : straced(plain, trace);
    const [program = "", ...rest] = command;
    const child = new Deno.Command(program, {
      args: rest,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...env },
      ...user,
    }).spawn();
    this.#child = child;
    this.#isTraced = trace !== undefined;
    const streams = Promise.all([this.#listen(child.stdout), this.#listen(child.stderr)]);
    this.ended = child.status.then(async (status) => {
      await streams;
      this.#over = true;
      this.#tell();
      return status;
    });
  }

  /** The program's own process id, not strace's. */
  get pid(): number {
    if (!this.#isTraced) return this.#child.pid;
    const children = `/proc/${this.#child.pid}/task/${this.#child.pid}/children`;
    return Number(Deno.readTextFileSync(children).trim().split(" ")[0]);
  }

  /** Whatever it has said so far, on both streams. */
  get output(): string {
    return this.#output;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Waits until its output matches, from `from` on. @throws with the output if it ends before, or in vain */
  async says(pattern: RegExp, { from = 0, timeoutMs = 60_000 } = {}): Promise<string> {
    const deadline = AbortSignal.timeout(timeoutMs);
    while (true) {
      const found = pattern.exec(this.#output.slice(from));
      if (found !== null) return found[0];
      if (this.#over || deadline.aborted) {
        throw new Error(`The program never said ${pattern}, but:\n${this.#output}`);
      }
      await new Promise<void>((resolve) => {
        const go = () => {
          this.#listeners.delete(go);
          deadline.removeEventListener("abort", go);
          resolve();
        };
        this.#listeners.add(go);
        deadline.addEventListener("abort", go);
      });
    }
  }

  /** Seconds of processor that it has used. */
  cpuSeconds(): number {
    const fields = Deno.readTextFileSync(`/proc/${this.pid}/stat`).replace(/^.*\) /s, "").split(
      " ",
    );
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Bytes of memory that it holds now. */
  residentBytes(): number {
    return Number(Deno.readTextFileSync(`/proc/${this.pid}/statm`).split(" ")[1]) * 4096;
  }

  signal(signal: Deno.Signal): void {
    if (!this.#over) Deno.kill(this.pid, signal);
  }

  /** Ends it as a power cut would, and waits until it is gone. @throws with its output if it ended by itself */
  async kill(): Promise<void> {
    await this.#end();
    const { code, signal } = await this.ended;
    if (signal === "SIGKILL") return;
    throw new Error(`The program was not killed, but exited ${code} by itself:\n${this.#output}`);
  }

  async #end(): Promise<void> {
    if (!this.#over) {
      try {
        Deno.kill(this.pid, "SIGKILL");
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    await this.ended;
  }

  /** Asks it to finish. */
  async stop(): Promise<Deno.CommandStatus> {
    this.signal("SIGTERM");
    return await this.ended;
  }

  async #listen(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#output += text;
      this.#tell();
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
