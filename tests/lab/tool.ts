/**
 * A program that a test relies on all the while: a disk, a server. If it ends before it is stopped, the
 * test's whole file fails at once and says so. Without that, what waits for the tool would wait for ever.
 */
export class Tool {
  #stopped = false;
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<void>;

  /** @param name what it is for the test, for a sentence that begins with it */
  constructor(name: string, program: string, options: Deno.CommandOptions) {
    this.#child = new Deno.Command(program, {
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
      ...options,
    }).spawn();
    // Nothing catches what this throws: so the runner ends the file, whatever its tests are doing.
    this.#ended = this.#child.status.then(({ code, signal }) => {
      if (this.#stopped) return;
      throw new Error(`${name} ended in the middle of a test (${signal ?? `exit code ${code}`})`);
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Its end is expected from here on, such as by an unmount. */
  async end(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    this.#stopped = true;
    this.#child.kill(signal);
    await this.#ended;
  }
}
