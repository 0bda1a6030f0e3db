import { UsageError } from "../errors.ts";

/** Where an inbox is. Never carries a password: that comes from a file. */
export interface DatabaseAddress {
  /** Host name or address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly tls: TlsMode;
}

/**
 * - `disable`: no TLS
 * - `require`: TLS, the server's certificate is not checked against its name (as libpq's `require`)
 * - `verify-full`: TLS, the certificate must be valid and name the host
 */
export type TlsMode = "disable" | "require" | "verify-full";

const TLS_MODES: readonly TlsMode[] = ["disable", "require", "verify-full"];
const FORM = "postgres://USER@HOST:PORT/DATABASE[?sslmode=disable|require|verify-full]";

/**
 * Reads a worker's `postgres://[USER@]HOST[:PORT]/DATABASE[?sslmode=…]`.
 *
 * A password in the URL is refused rather than used: it would stand in `ps`, in the unit and in the
 * compiled binary. A host is required, since Unix sockets would need a wider write permission.
 *
 * @param defaultUser the role if the URL names none
 * @throws {UsageError} naming what is wrong
 */
export function parseDatabaseUrl(text: string, defaultUser: string): DatabaseAddress {
  const { address, password } = parseAdminDatabaseUrl(text, defaultUser);
  if (password !== undefined) {
    throw new UsageError(
      "--database has a password in it, which every user of this machine could read; " +
        "take it out and give --password-file FILE",
    );
  }
  return address;
}

/**
 * Reads an administrator's URL, which may carry a password: it is typed once, by a person who may do
 * everything anyway, and ends in no unit and no binary. Otherwise as `parseDatabaseUrl`.
 */
export function parseAdminDatabaseUrl(
  text: string,
  defaultUser: string,
): { readonly address: DatabaseAddress; readonly password?: string } {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(`--database is not a URL; its form is ${FORM}`);
  }
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    throw new UsageError(`--database begins with ${url.protocol}//; its form is ${FORM}`);
  }
  const host = decoded(url.hostname, "host").replace(/^\[(.*)\]$/, "$1");
  if (host === "") throw new UsageError(`--database names no host; its form is ${FORM}`);
  if (host.includes("/") || host.includes(",") || host.includes("*")) {
    throw new UsageError(
      `--database has the host ${JSON.stringify(host)}; name one host or address`,
    );
  }
  const database = decoded(url.pathname.slice(1), "database");
  if (database === "") throw new UsageError(`--database names no database; its form is ${FORM}`);
  const address: DatabaseAddress = {
    host,
    port: url.port === "" ? 5432 : Number(url.port),
    database,
    user: url.username === "" ? defaultUser : decoded(url.username, "user"),
    tls: tlsMode(url),
  };
  return url.password === ""
    ? { address }
    : { address, password: decoded(url.password, "password") };
}

/** A part of a URL with its escapes resolved. */
function decoded(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The password is not shown.
    const shown = part === "password" ? "" : ` ${JSON.stringify(text)}`;
    throw new UsageError(
      `--database has a % in its ${part}${shown} that two hexadecimal digits do not follow; ` +
        "write a percent sign as %25",
    );
  }
}

function tlsMode(url: URL): TlsMode {
  for (const key of url.searchParams.keys()) {
    if (key !== "sslmode") {
      throw new UsageError(
        `--database has the unknown parameter ${JSON.stringify(key)}; its form is ${FORM}`,
      );
    }
  }
  const mode = url.searchParams.get("sslmode") ?? "disable";
  const known = TLS_MODES.find((each) => each === mode);
  if (known === undefined) {
    throw new UsageError(`sslmode=${mode} is none of ${TLS_MODES.join(", ")}`);
  }
  return known;
}

/** The address as people read it, fit for logs. */
export function showAddress(address: DatabaseAddress): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `postgres://${address.user}@${host}:${address.port}/${address.database}`;
}
