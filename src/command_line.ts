/**
 * How every program of this project reads its command line: by commander, with errors in one line. Here is
 * what an option may take; those that run for long also take no option twice.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { UsageError } from "./errors.ts";
import type { HostPort } from "./sandbox.ts";
import { isStorageName, isUuid } from "./media.ts";
import { printLines } from "./terminal.ts";
import { parseDuration, parseSize, parseUtc } from "./units.ts";
import { VERSION } from "./version.ts";

/** Help or version was asked for and has been printed: there is nothing more to do. */
export class HelpShown extends Error {
  override readonly name = "HelpShown";
}

/** Adds an option whose value is read by `parser`, which throws what `refuse` makes. */
export type AddOption = <T>(
  flags: string,
  description: string,
  parser: (text: string) => T,
) => Command;

/**
 * Reads a command line.
 *
 * An option given twice is refused: a compiled program has its options in front of whatever it is given,
 * so a second `--database` is an attempt to send it elsewhere.
 *
 * @param describe names the program's options
 * @throws {UsageError} naming the option, its value and what it takes
 * @throws {HelpShown} after printing help or version
 */
export function parseCommandLine<Given extends object>(
  name: string,
  args: readonly string[],
  describe: (command: Command, option: AddOption) => void,
): Given {
  const refused: string[] = [];
  const command = new Command(name)
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: printLines, writeErr: (text) => refused.push(text) })
    .allowExcessArguments(false);
  describe(
    command,
    (flags, description, parser) =>
      command.addOption(new Option(flags, description).argParser(onlyOnce(parser))),
  );
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new HelpShown();
    const message = oneLine(refused.join("")) || error.message;
    throw new UsageError(`${message}; --help lists the options`);
  }
  return command.opts<Given>();
}

/** Commander's message as the first half of a sentence. */
export function oneLine(message: string): string {
  return message.trim().replace(/^error: /, "").replace(/\.$/, "");
}

function onlyOnce<T>(parser: (text: string) => T): (text: string, previous: T | undefined) => T {
  return (text, previous) => {
    if (previous !== undefined) throw refuse("It was given twice.");
    return parser(text);
  };
}

/** What a parser throws: why the value is none. */
export function refuse(why: string): Error {
  return new InvalidArgumentError(why);
}

/** @throws {UsageError} the option was not given */
export function required(value: string | undefined, option: string): string {
  if (value === undefined) throw new UsageError(`${option} is missing; --help lists the options`);
  return value;
}

/** A storage's name by its form; whether there is one, the inbox says. */
export function storageName(text: string): string {
  if (isStorageName(text)) return text;
  throw refuse("A storage's name is a lower-case letter, then up to 30 more or digits.");
}

/** An absolute path in its plain form, so that a permission flag and a path mean the same place. */
export function path(text: string): string {
  const plain = text.length > 1 ? text.replace(/\/$/, "") : text;
  if (!plain.startsWith("/")) throw refuse("The path must be absolute.");
  if (plain === "/") throw refuse("The whole file system is not a place for a storage.");
  if (plain.includes(",")) throw refuse("Deno's permission flags cannot carry a comma.");
  if (/\/(\.{0,2})(\/|$)/.test(plain)) {
    throw refuse("An empty part, . or .. is not allowed in a path.");
  }
  return plain;
}

/** A file that holds a password, or `-` for standard input. */
export function passwordFile(text: string): string {
  return text === "-" ? text : path(text);
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`. */
export function listenAddress(text: string): HostPort {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/
    .exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) {
    throw refuse("It takes an address with a port, as 127.0.0.1:8080 or [::1]:8080.");
  }
  return { host, port };
}

export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw refuse(`It takes a whole number from ${least} to ${most}.`);
  };
}

/** @param least bytes @param most bytes */
export function size(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = parseSize(text);
    if (value !== null && value >= least && value <= most) return value;
    throw refuse(`It takes a size such as 32MiB, from ${least} to ${most} bytes.`);
  };
}

/** A share of a whole, such as 0.05. */
export function share(text: string): number {
  const value = Number(text);
  if (/^[\d.]+$/.test(text) && value > 0 && value <= 1) return value;
  throw refuse("It takes a number above 0 and at most 1.");
}

/** `30d`, `12h`, `5min`, `30s`, as seconds. @param least seconds */
export function duration(least: number): (text: string) => number {
  return (text) => {
    const seconds = parseDuration(text);
    if (seconds !== null && seconds >= least) return seconds;
    const bound = least > 1 ? `, and at least ${least} s` : "";
    throw refuse(`It takes a time such as 30d, 12h, 5min or 30s${bound}.`);
  };
}

/** A time, in UTC unless it has a zone, as seconds since the epoch. */
export function time(text: string): number {
  const seconds = parseUtc(text);
  if (seconds !== null) return seconds;
  throw refuse("It takes a time such as 2026-11-22T08:00:00Z, in UTC without a zone.");
}

/** A UUID, also one in capitals; as this project writes it. */
export function uuid(text: string): string {
  const lower = text.toLowerCase();
  if (isUuid(lower)) return lower;
  throw refuse("It takes a UUID.");
}

export function oneOf<const T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((each) => each === text);
    if (word !== undefined) return word;
    throw refuse(`It takes one of ${words.join(", ")}.`);
  };
}

const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `--log-format` and `--log-level`, which every program has. */
export function addLogOptions(option: AddOption): void {
  option("--log-format <format>", "text or json (default text)", oneOf(LOG_FORMATS));
  option("--log-level <level>", `${LOG_LEVELS.join(", ")} (default info)`, oneOf(LOG_LEVELS));
}
