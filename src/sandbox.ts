/**
 * What each program of this project may reach. Its launcher, the compiled binary, the demo and the tests
 * all take the flags from here, so there is no second list that could be wider.
 */

/** The permissions of one program, and nothing beside them. */
export interface SandboxNeeds {
  /** What messages call it: "The worker". */
  readonly program: string;
  readonly net: readonly HostPort[];
  /** Absolute real paths without a comma (Deno splits its flags there). What may be written is among them. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly sys: readonly SysKind[];
  /** Hosts of `net` whose certificate is not checked, where Deno's own TLS reaches them; none where absent. */
  readonly unchecked?: readonly string[];
}

/** An address to connect to or to listen at. Always with a port. */
export interface HostPort {
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** The servers that a program may connect to. */
export interface Hosts {
  readonly hosts: readonly HostPort[];
  /** `require`: encrypted, and their certificates are not checked. */
  readonly tls?: string;
}

/** `statfs`: free space. `uid`: whether it runs as root. */
export const SYS_KINDS = ["statfs", "uid"] as const;
export type SysKind = (typeof SYS_KINDS)[number];

/** Files that prove who a program and its server are, where the program reads them itself. */
interface CredentialFiles {
  readonly passwordFile?: string;
  readonly caFile?: string;
}

/** A worker: the servers of one database, one root that it writes, up to two files to read. */
export function workerNeeds(
  given: CredentialFiles & { readonly root: string; readonly database: Hosts },
): SandboxNeeds {
  return {
    program: "The worker",
    net: given.database.hosts.map(plain),
    read: [given.root, ...credentialsOf(given)],
    write: [given.root],
    sys: SYS_KINDS,
    unchecked: uncheckedOf(given.database),
  };
}

/**
 * The gateway: listens, and talks to one database's servers. No file at all; its password comes by standard
 * input.
 */
export function gatewayNeeds(
  given: { readonly listen: HostPort; readonly database: Hosts },
): SandboxNeeds {
  return {
    program: "The gateway",
    net: [plain(given.listen), ...given.database.hosts.map(plain)],
    read: [],
    write: [],
    sys: [],
  };
}

/** The scrub: looks again at what one root has and reports to one database. Writes nothing. */
export function scrubNeeds(
  given: CredentialFiles & { readonly root: string; readonly database: Hosts },
): SandboxNeeds {
  return {
    program: "The scrub",
    net: given.database.hosts.map(plain),
    read: [given.root, ...credentialsOf(given)],
    write: [],
    sys: SYS_KINDS,
  };
}

/** The monitor: as the gateway. */
export function monitorNeeds(
  given: { readonly listen: HostPort; readonly database: Hosts },
): SandboxNeeds {
  return { ...gatewayNeeds(given), program: "The monitor" };
}

/** The permission flags of a program with these needs. */
export function permissionFlags(needs: SandboxNeeds): string[] {
  return [
    "--no-prompt",
    // `pg` throws on reading the environment where this is absent, and works on an empty one.
    "--ignore-env",
    // `import("https://…")` of a few hosts is granted by default, and `--deny-import` does not stop it.
    "--no-remote",
    "--cached-only",
    ...flag("net", needs.net.map(showHostPort)),
    ...flag("read", needs.read),
    ...flag("write", needs.write),
    ...flag("sys", needs.sys),
    ...unchecked(needs.unchecked ?? []),
  ];
}

/** Without values a flag would grant the whole kind. */
function flag(kind: string, values: readonly string[]): string[] {
  return values.length === 0 ? [] : [`--allow-${kind}=${values.join(",")}`];
}

/** Without values it would be every certificate. */
function unchecked(hosts: readonly string[]): string[] {
  return hosts.length === 0 ? [] : [`--unsafely-ignore-certificate-errors=${hosts.join(",")}`];
}

/**
 * This is what `sslmode=require` means: nobody can listen, and a man in the middle goes unnoticed. A worker
 * reads its COPY by Deno's own TLS, which has no option for one connection.
 */
function uncheckedOf({ hosts, tls }: Hosts): string[] {
  return tls === "require" ? [...new Set(hosts.map(({ host }) => canonical(host)))] : [];
}

/** An IPv6 address as Deno writes it when it compares. */
function canonical(host: string): string {
  return host.includes(":") ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
}

/** `host:port`, as flags, permissions and addresses spell it. */
export function showHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function plain({ host, port }: HostPort): HostPort {
  return { host, port };
}

function credentialsOf({ passwordFile, caFile }: CredentialFiles): string[] {
  return [passwordFile, caFile].filter((path) => path !== undefined);
}
