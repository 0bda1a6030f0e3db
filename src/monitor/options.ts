import type { Command } from "commander";
import {
  addLogOptions,
  type AddOption,
  listenAddress,
  type LogFormat,
  type LogLevel,
  parseCommandLine,
  passwordFile,
  refuse,
  required,
} from "../command_line.ts";
import { defined } from "../defined.ts";
import { DATABASE_FORM, type DatabaseAddress, parseDatabaseUrl } from "../inbox/database_url.ts";
import { roleOf } from "../inbox/role_names.ts";
import type { HostPort } from "../sandbox.ts";

/** A monitor's command line; every default is filled in. */
export interface MonitorOptions {
  readonly listen: HostPort;
  readonly database: DatabaseAddress;
  /** `-`: standard input. A file is read by whoever starts the monitor, which has no right to. */
  readonly passwordFile?: string;
  /** What the token that requests must carry hashes to, in hexadecimal digits; null: none is asked for. */
  readonly tokenSha256: string | null;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/** Reads a monitor's command line. Errors as `parseCommandLine`. */
export function parseMonitorOptions(args: readonly string[]): MonitorOptions {
  const given = parseCommandLine<Given>("omoide-monitor", args, describe);
  return {
    listen: listenAddress(given.listen ?? DEFAULT_LISTEN),
    database: parseDatabaseUrl(
      required(given.database, "--database URL"),
      roleOf("monitor"),
      "any",
    ),
    ...defined({ passwordFile: given.passwordFile }),
    tokenSha256: given.tokenSha256 ?? null,
    logFormat: given.logFormat ?? "text",
    logLevel: given.logLevel ?? "info",
  };
}

interface Given extends Pick<Partial<MonitorOptions>, "passwordFile" | "logFormat" | "logLevel"> {
  readonly listen?: string;
  readonly database?: string;
  readonly tokenSha256?: string;
}

/** Only this machine's own users reach it. */
const DEFAULT_LISTEN = "127.0.0.1:9187";

function describe(command: Command, option: AddOption): void {
  command
    .description(
      "Shows whether everything is safe: a page, /metrics for Prometheus, /healthz, /status.json. " +
        "Reads and writes no file, and changes nothing in the inbox.",
    )
    .addHelpText("after", HELP);
  option("--listen <host:port>", `where to listen (default ${DEFAULT_LISTEN})`, (text) => {
    listenAddress(text);
    return text;
  });
  option("--database <url>", DATABASE_FORM, String);
  option(
    "--password-file <file>",
    "holds the role's password; - for standard input",
    passwordFile,
  );
  option(
    "--token-sha256 <hex>",
    "answer only who has the token with this SHA-256: as a bearer token, or as the password of any user",
    sha256,
  );
  addLogOptions(option);
}

const HELP = `
Standard input, with --password-file -: the password on the first line; PEM certificates that the
database's must be signed by may follow.

A token and its SHA-256: head -c 24 /dev/urandom | base64 | tee token | tr -d '\\n' | sha256sum

Exit statuses:
  0  stopped by SIGTERM or SIGINT
  1  something unforeseen: try again, report it
  2  the command line is wrong
  4  an administrator must act: permissions, address, role, password, schema

Signals:
  SIGTERM, SIGINT  stop; a second one leaves at once`;

function sha256(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw refuse("It takes the 64 hexadecimal digits that sha256sum prints.");
}
