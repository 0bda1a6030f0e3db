import type { Command } from "commander";
import {
  addLogOptions,
  type AddOption,
  duration,
  type LogFormat,
  type LogLevel,
  parseCommandLine,
  path,
  required,
  size,
  storageName,
} from "../command_line.ts";
import { defined } from "../defined.ts";
import { DATABASE_FORM, type DatabaseAddress, parseDatabaseUrl } from "../inbox/database_url.ts";
import { roleOf, scrubRole } from "../inbox/role_names.ts";

/** A scrub's command line; every default is filled in. */
export interface ScrubOptions {
  readonly storage: string;
  /** Absolute path without a trailing slash. */
  readonly root: string;
  readonly database: DatabaseAddress;
  readonly passwordFile?: string;
  readonly caFile?: string;
  /** One shallow and one deep look as fast as it goes, then the end. */
  readonly once: boolean;
  /** Seconds in which every byte is read once; null: as the inbox's settings say. */
  readonly cycle: number | null;
  /** Bytes per second that are never exceeded; Infinity where there is no bound. */
  readonly rate: number;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/** Reads a scrub's command line. Errors as `parseCommandLine`. */
export function parseScrubOptions(args: readonly string[]): ScrubOptions {
  const given = parseCommandLine<Given>("omoide-scrub", args, describe);
  const storage = required(given.storage, "--storage NAME");
  return {
    storage,
    root: required(given.root, "--root DIR"),
    database: parseDatabaseUrl(
      required(given.database, "--database URL"),
      scrubRole(roleOf(storage)),
    ),
    ...defined({ passwordFile: given.passwordFile, caFile: given.caFile }),
    once: given.once ?? false,
    cycle: given.cycle ?? null,
    rate: given.rate ?? Infinity,
    logFormat: given.logFormat ?? "text",
    logLevel: given.logLevel ?? "info",
  };
}

interface Given extends Partial<Omit<ScrubOptions, "database" | "cycle">> {
  readonly database?: string;
  readonly cycle?: number;
}

const KiB = 1024;

function describe(command: Command, option: AddOption): void {
  command
    .description(
      "Looks again at what one storage has, for ever: each day at every name, each cycle at every byte. " +
        "Writes nothing, repairs nothing, and reports what it finds to the inbox.",
    )
    .addHelpText("after", HELP);
  option("--storage <name>", "the storage's name in the inbox", storageName);
  option("--root <dir>", "its root: an absolute path", path);
  option("--database <url>", DATABASE_FORM, String);
  option("--password-file <file>", "holds the password of the scrub's role", path);
  option("--ca-file <file>", "certificates that the server's must be signed by, PEM", path);
  command.option("--once", "one shallow and one deep look at full speed, then exit");
  option(
    "--cycle <time>",
    "in which every byte is read once, as 30d or 12h (default: 30d)",
    duration(3600),
  );
  option("--rate <size>", "bytes per second at the most, as 20MiB", size(KiB, 2 ** 40));
  addLogOptions(option);
}

const HELP = `
Exit statuses:
  0  stopped by SIGTERM or SIGINT, where it goes on next time; --once: all is well
  1  something unforeseen: try again, report it
  2  the command line is wrong
  3  --once: the database is out of reach, or another scrub looks at the storage
  4  an administrator must act: permissions, root, identity, role, password, schema
  8  --once: something is not as it should be; \`inbox status\` says what
  130  --once: stopped by a signal before its end

Signals:
  SIGTERM, SIGINT  stop; a second one leaves at once
  SIGHUP           look at every name now, or once the file at hand is read`;
