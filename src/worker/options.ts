import type { Command } from "commander";
import {
  addLogOptions,
  type AddOption,
  integer,
  type LogFormat,
  type LogLevel,
  parseCommandLine,
  path,
  refuse,
  required,
  size,
  storageName,
} from "../command_line.ts";
import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import { DATABASE_FORM, type DatabaseAddress, parseDatabaseUrl } from "../inbox/database_url.ts";
import { roleOf } from "../inbox/role_names.ts";
import { DEFAULT_RESERVE, type Reserve } from "../storage/space.ts";
import { parseSize } from "../units.ts";
import { EXIT_HELP } from "./exit_help.ts";

/** A worker's command line; every default is filled in. */
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
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

const MiB = 1024 * 1024;

/** Reads a worker's command line. Errors as `parseCommandLine`. */
export function parseWorkerOptions(args: readonly string[]): WorkerOptions {
  const given = parseCommandLine<Given>("omoide-worker", args, describe);
  if (given.once && given.check) {
    throw new UsageError("--once and --check exclude each other: give one of them");
  }
  const storage = required(given.storage, "--storage NAME");
  return {
    storage,
    root: required(given.root, "--root DIR"),
    database: parseDatabaseUrl(required(given.database, "--database URL"), roleOf(storage)),
    ...defined({ passwordFile: given.passwordFile, caFile: given.caFile }),
    mode: given.check ? "check" : given.once ? "drain" : "serve",
    batchFiles: given.batchFiles ?? 1024,
    batchBytes: given.batchBytes ?? 32 * MiB,
    writers: given.writers ?? 64,
    pollInterval: given.pollInterval ?? 30,
    reserve: given.reserve ?? DEFAULT_RESERVE,
    logFormat: given.logFormat ?? "text",
    logLevel: given.logLevel ?? "info",
  };
}

interface Given extends Partial<Omit<WorkerOptions, "database" | "mode">> {
  readonly database?: string;
  readonly once?: boolean;
  readonly check?: boolean;
}

function describe(command: Command, option: AddOption): void {
  command
    .description("Carries what the inbox owes to one storage into that storage, and nothing else.")
    .addHelpText("after", EXIT_HELP);
  option("--storage <name>", "the storage's name in the inbox", storageName);
  option("--root <dir>", "its root: an absolute path", path);
  option("--database <url>", DATABASE_FORM, String);
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
  addLogOptions(option);
}

function reserve(text: string): Reserve {
  const percent = /^(\d{1,2}(?:\.\d+)?)%$/.exec(text);
  if (percent !== null) return { fraction: Number(percent[1]) / 100 };
  const bytes = parseSize(text);
  if (bytes !== null) return { bytes };
  throw refuse(
    "It takes a share such as 5% (below 100%) or a size such as 10GiB.",
  );
}
