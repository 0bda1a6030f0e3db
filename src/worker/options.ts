import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../errors.ts";
import { type DatabaseAddress, parseDatabaseUrl } from "../inbox/database_url.ts";
import { isStorageName } from "../media.ts";
import type { SandboxNeeds } from "../sandbox.ts";
import type { Reserve } from "../storage/space.ts";
import { parseSize } from "../units.ts";
import { VERSION } from "../version.ts";
import { EXIT_HELP } from "./exit_help.ts";

/** What a worker was told on its command line; every default is filled in. */
export interface WorkerOptions {
  readonly storage: string;
  /** Absolute path without a trailing slash. */
  readonly root: string;
  readonly database: DatabaseAddress;
  readonly passwordFile?: string;
  readonly caFile?: string;
  /** `drain`: until nothing is left, `check`: prove everything, store nothing. */
  readonly mode: "serve" | "drain" | "check";
  /** Media in a batch at the most. */
  readonly batchFiles: number;
  /** Bytes in a batch at the most; a larger media is a batch of its own. */
  readonly batchBytes: number;
  /** fdatasyncs under way at once. */
  readonly writers: number;
  /** Seconds. */
  readonly pollInterval: number;
  readonly reserve: Reserve;
  readonly logFormat: "text" | "json";
  readonly logLevel: LogLevel;
}

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Help or version was asked for and has been printed: there is nothing more to do. */
export class HelpShown extends Error {
  override readonly name = "HelpShown";
}

const MiB = 1024 * 1024;

/**
 * Reads a worker's command line.
 *
 * An option given twice is refused: a compiled worker has its options in front of whatever it is given,
 * so a second `--root` is somebody trying to send it elsewhere.
 *
 * @throws {UsageError} naming the option, its value and what it takes
 * @throws {HelpShown} after printing help or version
 */
export function parseWorkerOptions(args: readonly string[]): WorkerOptions {
  const given = parse(args);
  if (given.once && given.check) {
    throw new UsageError("--once and --check exclude each other: give one of them");
  }
  const storage = required(given.storage, "--storage NAME");
  return {
    storage,
    root: required(given.root, "--root DIR"),
    database: parseDatabaseUrl(required(given.database, "--database URL"), `omoide_${storage}`),
    ...(given.passwordFile === undefined ? {} : { passwordFile: given.passwordFile }),
    ...(given.caFile === undefined ? {} : { caFile: given.caFile }),
    mode: given.check ? "check" : given.once ? "drain" : "serve",
    batchFiles: given.batchFiles ?? 1024,
    batchBytes: given.batchBytes ?? 32 * MiB,
    writers: given.writers ?? 64,
    pollInterval: given.pollInterval ?? 30,
    reserve: given.reserve ?? { fraction: 0.05 },
    logFormat: given.logFormat ?? "text",
    logLevel: given.logLevel ?? "info",
  };
}

/** The permissions that a worker with these options needs. */
export function sandboxNeeds(options: WorkerOptions): SandboxNeeds {
  return {
    root: options.root,
    database: { host: options.database.host, port: options.database.port },
    ...(options.passwordFile === undefined ? {} : { passwordFile: options.passwordFile }),
    ...(options.caFile === undefined ? {} : { caFile: options.caFile }),
  };
}

interface Given {
  storage?: string;
  root?: string;
  database?: string;
  passwordFile?: string;
  caFile?: string;
  once?: boolean;
  check?: boolean;
  batchFiles?: number;
  batchBytes?: number;
  writers?: number;
  pollInterval?: number;
  reserve?: Reserve;
  logFormat?: "text" | "json";
  logLevel?: LogLevel;
}

function parse(args: readonly string[]): Given {
  const refused: string[] = [];
  const command = buildCommand((text) => refused.push(text));
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new HelpShown();
    const message = refused.join("").trim().replace(/^error: /, "");
    throw new UsageError(`${message || error.message}; --help lists the options`);
  }
  return command.opts<Given>();
}

function buildCommand(onError: (text: string) => void): Command {
  const command = new Command("omoide-worker")
    .description("Carries what the inbox owes to one storage into that storage, and nothing else.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeErr: onError })
    .allowExcessArguments(false)
    .addHelpText("after", EXIT_HELP);
  const option = <T>(flags: string, description: string, parser: (text: string) => T) =>
    command.addOption(new Option(flags, description).argParser(onlyOnce(parser)));

  option("--storage <name>", "the storage's name in the inbox", storageName);
  option("--root <dir>", "its root: an absolute path", path);
  option("--database <url>", "postgres://[USER@]HOST[:PORT]/DATABASE[?sslmode=…]", String);
  option("--password-file <file>", "holds the password of the storage's role", path);
  option("--ca-file <file>", "certificates that the server's must be signed by, PEM", path);
  command.option("--once", "store what is there, then exit");
  command.option("--check", "say whether everything needed is there; stores nothing");
  option("--batch-files <n>", "media in a batch (default 1024)", integer(1, 10_000));
  option("--batch-bytes <size>", "bytes in a batch (default 32MiB)", size(MiB, 1024 * MiB));
  option("--writers <n>", "files flushed to the disk at once (default 64)", integer(1, 512));
  option(
    "--poll-interval <s>",
    "seconds between looks at the inbox (default 30)",
    integer(1, 3600),
  );
  option("--reserve <size>", "space never used, as 5% or 10GiB (default 5%)", reserve);
  option("--log-format <format>", "text or json (default text)", oneOf(["text", "json"]));
  option("--log-level <level>", `${LOG_LEVELS.join(", ")} (default info)`, oneOf(LOG_LEVELS));
  return command;
}

function onlyOnce<T>(parser: (text: string) => T): (text: string, previous: T | undefined) => T {
  return (text, previous) => {
    if (previous !== undefined) throw new InvalidArgumentError("It was given twice.");
    return parser(text);
  };
}

function required(value: string | undefined, option: string): string {
  if (value === undefined) throw new UsageError(`${option} is missing; --help lists the options`);
  return value;
}

function storageName(text: string): string {
  if (isStorageName(text)) return text;
  throw new InvalidArgumentError(
    "A storage's name is a lower-case letter, then up to 30 more or digits.",
  );
}

/** An absolute path in its plain form, so that a permission flag and a path mean the same place. */
function path(text: string): string {
  const plain = text.length > 1 ? text.replace(/\/$/, "") : text;
  if (!plain.startsWith("/")) throw new InvalidArgumentError("The path must be absolute.");
  if (plain === "/") {
    throw new InvalidArgumentError("The whole file system is not a place for a storage.");
  }
  if (plain.includes(",")) {
    throw new InvalidArgumentError("Deno's permission flags cannot carry a comma.");
  }
  if (/\/(\.{0,2})(\/|$)/.test(plain)) {
    throw new InvalidArgumentError("The path has an empty part, . or ..");
  }
  return plain;
}

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${least} to ${most}.`);
  };
}

function size(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = parseSize(text);
    if (value !== null && value >= least && value <= most) return value;
    throw new InvalidArgumentError(
      `It takes a size such as 32MiB, from ${least} to ${most} bytes.`,
    );
  };
}

function reserve(text: string): Reserve {
  const percent = /^(\d{1,2}(?:\.\d+)?)%$/.exec(text);
  if (percent !== null) return { fraction: Number(percent[1]) / 100 };
  const bytes = parseSize(text);
  if (bytes !== null) return { bytes };
  throw new InvalidArgumentError(
    "It takes a share such as 5% (below 100%) or a size such as 10GiB.",
  );
}

function oneOf<const T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((each) => each === text);
    if (word !== undefined) return word;
    throw new InvalidArgumentError(`It takes one of ${words.join(", ")}.`);
  };
}
