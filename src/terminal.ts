import { ReaderGoneError } from "./errors.ts";

/**
 * The only place that writes to standard output and standard error.
 *
 * Part of what these programs show was written by others: file names, a worker's heartbeat, the message
 * of an error. A terminal acts on what it is sent (it clears itself, fills the clipboard, turns text
 * around), and one line feed too many makes up a line of our own: `SAFE: every media …`. So everything
 * goes through here, escaped as a whole; escaping each value where it is put into a sentence was forgotten
 * in six commands.
 */

/**
 * Control characters (C0, DEL, C1), formatting ones (bidirectional controls, zero-width characters, tags),
 * line and paragraph separators, and halves of surrogate pairs. Deno has made U+FFFD of what is no UTF-8.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text as one line in which nothing is hidden and nothing acts: `\x1b[2J`, `\u{202e}`, `\n`. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => SHORT[character] ?? escaped(character));
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
}

/** Text of several lines: all but the first are indented, so that none of them can pass for one of ours. */
export function visibleBlock(text: string): string {
  return text.split("\n").map(visible).join("\n    ");
}

/** Lines that are ours, each made visible. */
function visibleLines(text: string): string {
  return text.replace(/[^\n\t]+/g, visible);
}

/** JSON that means the same, in pure JSON's own escapes: `JSON.stringify` leaves all above U+001F as it is. */
export function visibleJson(json: string): string {
  const unit = (u: string) => `\\u${u.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return json.replace(UNSEEN, (character) => character.split("").map(unit).join(""));
}

/** One sentence on standard output. */
export function printLine(text: string): void {
  write(Deno.stdout, visible(text) + "\n");
}

/** The result for programs, on standard output. */
export function printJson(json: string): void {
  write(Deno.stdout, visibleJson(json) + "\n");
}

/** Lines of tab-separated fields, such as a manifest's, on standard output. */
export function printLines(text: string): void {
  write(Deno.stdout, visibleLines(text));
}

/** A help text that was not asked for, on standard error. */
export function printHelp(text: string): void {
  write(Deno.stderr, visibleLines(text));
}

/** What went wrong, as one sentence on standard error. */
export function printError(text: string): void {
  write(Deno.stderr, visible(text) + "\n");
}

/** A bug: its stack keeps its lines. */
export function printBug(text: string): void {
  write(Deno.stderr, visibleBlock(text) + "\n");
}

/** A line of the log, on standard error, as its formatter made it. */
export function printLog(line: string, format: "text" | "json"): void {
  const plain = line.replace(/\n$/, "");
  write(Deno.stderr, (format === "json" ? visibleJson(plain) : visibleBlock(plain)) + "\n");
}

/** Bytes for the process of this program that started this one, by its pipe on standard output. */
export function writeBytes(bytes: Uint8Array): void {
  write(Deno.stdout, bytes);
}

/** Draws over the terminal's last line, which standard error must be; an empty text clears it. */
export function drawLine(text: string): void {
  write(Deno.stderr, `\r${visible(text)}\x1b[K`);
}

/** What nothing has caught is shown here too, not by the runtime, and ends the process as it would. */
export function showUncaught(program: string): void {
  const end = (event: Event, error: unknown) => {
    event.preventDefault();
    printBug(`${program}: ${Deno.inspect(error)}`);
    Deno.exit(1);
  };
  addEventListener("unhandledrejection", (event) => end(event, event.reason));
  addEventListener("error", (event) => end(event, event.error));
}

const encoder = new TextEncoder();

/** @throws {ReaderGoneError} `| head` has seen enough */
function write(to: { writeSync(bytes: Uint8Array): number }, text: string | Uint8Array): void {
  try {
    const bytes = typeof text === "string" ? encoder.encode(text) : text;
    for (let done = 0; done < bytes.length;) done += to.writeSync(bytes.subarray(done));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    throw new ReaderGoneError("the reader of the output has gone", { cause: error });
  }
}
