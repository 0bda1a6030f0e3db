import { drawLine, printError, printJson, printLine, printLines } from "../terminal.ts";
import type { EntriesOptions } from "../storage/admin/entries.ts";
import { count, showBytes, showDuration } from "../units.ts";

/** The progress of names is drawn once for so many: looking at one takes microseconds. */
const SHOWN_NAMES = 4096;

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
    printLine(line);
  }

  /** The result for programs; nothing without `--json`. */
  result(value: unknown): void {
    if (!this.json) return;
    this.clear();
    printJson(JSON.stringify(value, bigIntsAsNumbers));
  }

  /** Bytes of a result that is neither, such as a manifest. */
  raw(text: string): void {
    printLines(text);
  }

  /** A notice beside the result, on standard error. */
  remark(text: string): void {
    this.clear();
    printError(`omoide-admin: ${text}`);
  }

  /** How far it is: `done` of `total` (where known), with the rate and the time left. */
  progress(
    what: string,
    done: number,
    total: number | null,
    unit: "bytes" | "names" | "media",
  ): void {
    if (!this.#progress) return;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const rate = done / Math.max(seconds, 0.001);
    const show = (n: number) =>
      unit === "bytes"
        ? showBytes(n)
        : count(Math.round(n), unit === "media" ? unit : "name", unit);
    const parts = [`${what}: ${show(done)}`, `${show(rate)}/s`];
    if (total !== null && done > 0) {
      const share = Math.min(1, done / Math.max(total, 1));
      parts.push(`${Math.floor(share * 100)} %`, `${showDuration(seconds * (1 / share - 1))} left`);
    }
    this.#draw(parts.join(", "));
  }

  /** What a walk through a tree calls: for each name, and for what has no place where it is. */
  walking(what: string): Required<Pick<EntriesOptions, "onName" | "strange">> {
    let names = 0;
    return {
      onName: () => {
        if (++names % SHOWN_NAMES === 0) this.progress(what, names, null, "names");
      },
      strange: (path, why) => this.remark(`${path} ${why}`),
    };
  }

  /** Takes the progress off the screen. */
  clear(): void {
    if (this.#shown !== "") this.#draw("");
  }

  #draw(text: string): void {
    drawLine(text);
    this.#shown = text;
  }
}

function bigIntsAsNumbers(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
