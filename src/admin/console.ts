import { count, showBytes, showDuration } from "./units.ts";

/**
 * What a command says: its result on standard output, as sentences or, with `--json`, as one JSON value;
 * how far it is on standard error, where that is a terminal.
 */
export class Console {
  readonly #progress: boolean;
  #shown = "";
  #startedAt = performance.now();

  constructor(readonly json: boolean, terminal: boolean = Deno.stderr.isTerminal()) {
    this.#progress = terminal;
  }

  /** A line for people; nothing with `--json`. */
  say(line: string): void {
    if (this.json) return;
    this.clear();
    write(Deno.stdout, line + "\n");
  }

  /** The result for programs; nothing without `--json`. */
  result(value: unknown): void {
    if (!this.json) return;
    this.clear();
    write(Deno.stdout, JSON.stringify(value, bigIntsAsNumbers) + "\n");
  }

  /** Bytes of a result that is neither, such as a manifest. */
  raw(text: string): void {
    write(Deno.stdout, text);
  }

  /** How far it is: `done` of `total` (where known), with the rate and the time left. */
  progress(what: string, done: number, total: number | null, unit: "bytes" | "names"): void {
    if (!this.#progress) return;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const rate = done / Math.max(seconds, 0.001);
    const show = (n: number) => unit === "bytes" ? showBytes(n) : count(Math.round(n), "name");
    const parts = [`${what}: ${show(done)}`, `${show(rate)}/s`];
    if (total !== null && done > 0) {
      const share = Math.min(1, done / Math.max(total, 1));
      parts.push(`${Math.floor(share * 100)} %`, `${showDuration(seconds * (1 / share - 1))} left`);
    }
    this.#draw(parts.join(", "));
  }

  /** Takes the progress off the screen. */
  clear(): void {
    if (this.#shown !== "") this.#draw("");
  }

  #draw(text: string): void {
    write(Deno.stderr, `\r${text}\x1b[K`);
    this.#shown = text;
  }
}

function bigIntsAsNumbers(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

const encoder = new TextEncoder();

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  for (let done = 0; done < bytes.length;) done += to.writeSync(bytes.subarray(done));
}
