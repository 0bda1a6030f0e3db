import type { Command } from "commander";
import {
  addLogOptions,
  type AddOption,
  integer,
  listenAddress,
  type LogFormat,
  type LogLevel,
  parseCommandLine,
  passwordFile,
  required,
  storageName,
} from "../command_line.ts";
import { defined } from "../defined.ts";
import { DATABASE_FORM, type DatabaseAddress, parseDatabaseUrl } from "../inbox/database_url.ts";
import { roleOf } from "../inbox/role_names.ts";
import type { HostPort } from "../sandbox.ts";

/** A gateway's command line, with every default filled in. */
export interface GatewayOptions {
  readonly listen: HostPort;
  readonly database: DatabaseAddress;
  /** `-`: standard input. A file is read by whoever starts the gateway, which has no right to. */
  readonly passwordFile?: string;
  /** The storage that NGINX serves; null: the first that was registered. */
  readonly served: string | null;
  /** Connections to the database at the most. */
  readonly connections: number;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/** Reads a gateway's command line. Errors as `parseCommandLine`. */
export function parseGatewayOptions(args: readonly string[]): GatewayOptions {
  const given = parseCommandLine<Given>("omoide-gateway", args, describe);
  return {
    listen: listenAddress(required(given.listen, "--listen HOST:PORT")),
    database: parseDatabaseUrl(required(given.database, "--database URL"), roleOf("app")),
    ...defined({ passwordFile: given.passwordFile }),
    served: given.served ?? null,
    connections: given.connections ?? 8,
    logFormat: given.logFormat ?? "text",
    logLevel: given.logLevel ?? "info",
  };
}

interface Given
  extends Pick<Partial<GatewayOptions>, "passwordFile" | "connections" | "logFormat" | "logLevel"> {
  readonly listen?: string;
  readonly database?: string;
  readonly served?: string;
}

function describe(command: Command, option: AddOption): void {
  command
    .description(
      "Takes uploads over HTTP into the inbox, and shows where they are. Reads and writes no files.",
    )
    .addHelpText("after", HELP);
  option("--listen <host:port>", "where to listen, as 127.0.0.1:8080", (text) => {
    listenAddress(text);
    return text;
  });
  option("--database <url>", DATABASE_FORM, String);
  option("--password-file <file>", "holds the role's password; - for standard input", passwordFile);
  option("--served <storage>", "the storage that NGINX serves (default: the first)", storageName);
  option("--connections <n>", "to the database at the most (default 8)", integer(2, 50));
  addLogOptions(option);
}

const HELP = `
Standard input, with --password-file -: the password on the first line; PEM certificates that the
database's must be signed by may follow.

Exit statuses:
  0  stopped by SIGTERM or SIGINT; uploads resume where they were
  1  unexpected error
  2  the command line is wrong
  3  the database is out of reach
  4  an administrator must act: permissions, address, role, password, schema

Signals:
  SIGTERM, SIGINT  take nothing more, keep what has come in, exit; a second one leaves at once`;
