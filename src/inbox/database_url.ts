import { UsageError } from "../errors.ts";
import { type HostPort, showHostPort } from "../sandbox.ts";

/** Where an inbox is. Never carries a password: that comes from a file. */
export interface DatabaseAddress extends LoginParts {
  /** The servers that may have it, in the order in which they are tried; at least one. */
  readonly hosts: readonly HostPort[];
}

/** One of the servers of an address. */
export interface DatabaseServer extends LoginParts, HostPort {
  /** How long connecting may take, in milliseconds. */
  readonly connectMs: number;
}

interface LoginParts {
  readonly database: string;
  readonly user: string;
  readonly tls: TlsMode;
  readonly target: TargetSessionAttrs;
}

/**
 * - `disable`: no TLS
 * - `require`: TLS, the server's certificate is not checked against its name (as libpq's `require`)
 * - `verify-full`: TLS, the certificate must be valid and name the host
 */
export type TlsMode = "disable" | "require" | "verify-full";

/**
 * Which server is good enough, in libpq's words.
 *
 * - `any`: the first that answers, a standby too
 * - `read-write`: a primary that its administrator has not set read-only
 * - `primary`: no standby
 */
export type TargetSessionAttrs = "any" | "read-write" | "primary";

const TLS_MODES: readonly TlsMode[] = ["disable", "require", "verify-full"];
const TARGETS: readonly TargetSessionAttrs[] = ["any", "read-write", "primary"];
/** What `--help` says of `--database`. */
export const DATABASE_FORM =
  "postgres://[USER@]HOST[:PORT][,HOST[:PORT]…]/DATABASE[?sslmode=…][&target_session_attrs=…]";
const DEFAULT_PORT = 5432;
const FORM = "postgres://USER@HOST:PORT[,HOST:PORT…]/DATABASE" +
  "[?sslmode=disable|require|verify-full][&target_session_attrs=any|read-write|primary]";

/**
 * The kernel's answer to packets that are silently dropped (IPAddressDeny, a firewall, a dead host) is
 * to hang, so connecting has a bound of its own. 10 s is three lost SYNs (1 + 2 + 4 s). Where another
 * server may answer, 2 s: one lost SYN, and a dead machine delays a failover by no more.
 */
const CONNECT_MS = 10_000;
const CONNECT_MS_OF_SEVERAL = 2_000;

/**
 * Reads a program's `postgres://[USER@]HOST[:PORT][,HOST[:PORT]…]/DATABASE[?sslmode=…][&target_session_attrs=…]`,
 * as libpq does.
 *
 * A password in the URL is refused rather than used: it would stand in `ps`, in the unit and in the
 * compiled binary. A host is required, since Unix sockets would need a wider write permission.
 *
 * @param defaultUser the role if the URL names none
 * @param needs `any` for a program that only reads, which a standby can serve too
 * @throws {UsageError} naming what is wrong
 */
export function parseDatabaseUrl(
  text: string,
  defaultUser: string,
  needs: "any" | "read-write" = "read-write",
): DatabaseAddress {
  const { address, password } = parseUrl(text, defaultUser, needs);
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
  return parseUrl(text, defaultUser, "any");
}

/** Not by `URL`, which knows no list of hosts. Nothing that may be a password is shown. */
function parseUrl(
  text: string,
  defaultUser: string,
  needs: "any" | "read-write",
): { readonly address: DatabaseAddress; readonly password?: string } {
  const parts = /^([a-z]+):\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^@?#]*))?(?:\?([^@#]*))?$/i.exec(
    text,
  );
  if (parts === null) {
    throw new UsageError(
      `--database is not a URL; its form is ${FORM}, with @ / ? # in a name or password as %40 %2F %3F %23`,
    );
  }
  const [, scheme = "", login = "", authority = "", path = "", query = ""] = parts;
  if (!/^postgres(ql)?$/i.test(scheme)) {
    throw new UsageError(`--database begins with ${scheme}://; its form is ${FORM}`);
  }
  const hosts = splitHosts(authority).map(parseHost);
  const database = decoded(path, "database");
  if (database === "") throw new UsageError(`--database names no database; its form is ${FORM}`);
  const [, user = "", password] = /^([^:]*)(?::(.*))?$/s.exec(login) ?? [];
  const { tls, target } = parseParameters(query);
  if (needs === "read-write" && target === "any") {
    throw new UsageError(
      "--database has target_session_attrs=any, and this program needs a server that takes writes; " +
        "leave it out, or give read-write",
    );
  }
  const address: DatabaseAddress = {
    hosts,
    database,
    user: user === "" ? defaultUser : decoded(user, "user"),
    tls,
    target: target ?? (hosts.length > 1 ? "read-write" : needs),
  };
  return password === undefined || password === ""
    ? { address }
    : { address, password: decoded(password, "password") };
}

/** At the commas; IPv6 addresses have none. */
function splitHosts(authority: string): string[] {
  if (authority === "") throw new UsageError(`--database names no host; its form is ${FORM}`);
  return authority.split(",");
}

function parseHost(text: string): HostPort {
  const [, inBrackets, plain = "", port = ""] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? [];
  const host = inBrackets ?? decoded(plain, "host");
  if (inBrackets === undefined && host === "") {
    throw new UsageError(
      text.split(":").length > 2
        ? "--database has an IPv6 address without brackets; write [ADDRESS]:PORT"
        : `--database has an empty host; its form is ${FORM}`,
    );
  }
  if (inBrackets === undefined ? !/^[\p{L}\p{N}._-]+$/u.test(host) : !isIpv6(host)) {
    throw new UsageError(
      `--database has the host ${
        JSON.stringify(host)
      }; name hosts or addresses, with commas between them`,
    );
  }
  if (port === "") return { host, port: DEFAULT_PORT };
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65_535) {
    throw new UsageError(
      `--database has a port at the host ${JSON.stringify(host)} that is none from 1 to 65535`,
    );
  }
  return { host, port: number };
}

function isIpv6(host: string): boolean {
  return /^[0-9a-f:.]+$/i.test(host) && URL.canParse(`http://[${host}]/`);
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

function parseParameters(
  query: string,
): { readonly tls: TlsMode; readonly target: TargetSessionAttrs | undefined } {
  const parameters = new URLSearchParams(query);
  for (const key of parameters.keys()) {
    if (key !== "sslmode" && key !== "target_session_attrs") {
      throw new UsageError(
        `--database has the unknown parameter ${JSON.stringify(key)}; its form is ${FORM}`,
      );
    }
  }
  return {
    tls: oneOf("sslmode", TLS_MODES, parameters) ?? "disable",
    target: oneOf("target_session_attrs", TARGETS, parameters),
  };
}

function oneOf<T extends string>(
  name: string,
  known: readonly T[],
  parameters: URLSearchParams,
): T | undefined {
  const given = parameters.get(name);
  if (given === null) return undefined;
  const found = known.find((each) => each === given);
  if (found === undefined) throw new UsageError(`${name}=${given} is none of ${known.join(", ")}`);
  return found;
}

/** The servers of an address, each as it is connected to. */
export function serversOf({ hosts, ...login }: DatabaseAddress): DatabaseServer[] {
  const connectMs = hosts.length > 1 ? CONNECT_MS_OF_SEVERAL : CONNECT_MS;
  return hosts.map((host) => ({ ...login, ...host, connectMs }));
}

/** An address, or one server of it, as people read it, fit for logs. */
export function showAddress(address: DatabaseAddress | DatabaseServer): string {
  const hosts = "hosts" in address ? address.hosts : [address];
  return `postgres://${address.user}@${hosts.map(showHostPort).join(",")}/${address.database}`;
}
