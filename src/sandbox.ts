import { ConfigurationError } from "./errors.ts";

/** What a worker may reach: one database, one root, and up to two files to read. */
export interface SandboxNeeds {
  /** Absolute real path of the storage's root; contains no comma (Deno splits its flags there). */
  readonly root: string;
  readonly database: { readonly host: string; readonly port: number };
  readonly passwordFile?: string;
  readonly caFile?: string;
}

/** The kinds of `--allow-sys` a worker needs: free space, and whether it runs as root. */
const SYS_KINDS = ["statfs", "uid"] as const;

/**
 * The permission flags of a worker. The launcher, the compiled binary, the demo and the tests all take
 * them from here, so there is no second list that could be wider.
 */
export function permissionFlags(needs: SandboxNeeds): string[] {
  return [
    "--no-prompt",
    // `pg` throws on reading the environment where this is absent, and works on an empty one.
    "--ignore-env",
    // `import("https://…")` of a few hosts is granted by default, and `--deny-import` does not stop it.
    "--no-remote",
    "--cached-only",
    `--allow-net=${netOf(needs)}`,
    `--allow-read=${readable(needs).join(",")}`,
    `--allow-write=${needs.root}`,
    `--allow-sys=${SYS_KINDS.join(",")}`,
  ];
}

function netOf({ database: { host, port } }: SandboxNeeds): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function readable(needs: SandboxNeeds): string[] {
  return [needs.root, needs.passwordFile, needs.caFile].filter((path) => path !== undefined);
}

/**
 * Gives up what the runtime lets a program give up, and refuses to go on with more or with less than
 * `permissionFlags` grants. To be called before anything else is done.
 *
 * What it can't see is a grant of one more exact path or host. Against that stand the launcher, and the
 * permissions that can be read back from the compiled binary.
 *
 * @throws {ConfigurationError} naming every permission that is too much or missing
 */
export async function lockDown(needs: SandboxNeeds): Promise<void> {
  const tooMuch = await grantedOf(excessive(needs));
  for (const name of ["run", "ffi", "env", "import"] as const) {
    await Deno.permissions.revoke({ name });
  }
  // These write into the runtime's cache directory, outside the root, without asking for a permission;
  // a web worker would have the last one anew.
  for (const name of ["localStorage", "sessionStorage", "caches", "Worker"]) {
    Reflect.deleteProperty(globalThis, name);
  }
  if (tooMuch.length > 0) {
    throw new ConfigurationError(
      `The worker refuses to run with more permissions than it needs: ${tooMuch.join(", ")}. ` +
        `Start it with exactly: ${permissionFlags(needs).join(" ")}`,
    );
  }
  const missing = await deniedOf(necessary(needs));
  if (missing.length > 0) {
    throw new ConfigurationError(
      `The worker lacks permissions: ${missing.join(", ")}. ` +
        `Start it with exactly: ${permissionFlags(needs).join(" ")}`,
    );
  }
}

interface Permission {
  /** As one would grant it on the command line. */
  readonly flag: string;
  readonly descriptor: Deno.PermissionDescriptor;
}

/**
 * Grants that no worker has: each kind as a whole, and the nearest wider ones, which a slip of the hand
 * gives (a directory above the root, every port of the database's host). `import` is not among them:
 * the runtime grants it by default, which is why it is revoked.
 */
function excessive(needs: SandboxNeeds): Permission[] {
  const broad = (["read", "write", "net", "sys", "run", "ffi", "env"] as const)
    .map((name) => ({ flag: `--allow-${name}`, descriptor: { name } }));
  const above = ancestors(needs.root).flatMap((path) => [
    { flag: `--allow-read=${path}`, descriptor: { name: "read", path } as const },
    { flag: `--allow-write=${path}`, descriptor: { name: "write", path } as const },
  ]);
  const files = [needs.passwordFile, needs.caFile].filter((path) => path !== undefined)
    .map((path) => ({
      flag: `--allow-write=${path}`,
      descriptor: { name: "write", path } as const,
    }));
  const { host, port } = needs.database;
  const anotherPort = netOf({ ...needs, database: { host, port: port === 1 ? 2 : 1 } });
  return [
    ...broad,
    ...above,
    ...files,
    { flag: `--allow-net=${anotherPort}`, descriptor: { name: "net", host: anotherPort } },
    { flag: "--allow-sys=hostname", descriptor: { name: "sys", kind: "hostname" } },
  ];
}

function necessary(needs: SandboxNeeds): Permission[] {
  return [
    ...readable(needs).map((path) => ({
      flag: `--allow-read=${path}`,
      descriptor: { name: "read", path } as const,
    })),
    { flag: `--allow-write=${needs.root}`, descriptor: { name: "write", path: needs.root } },
    { flag: `--allow-net=${netOf(needs)}`, descriptor: { name: "net", host: netOf(needs) } },
    ...SYS_KINDS.map((kind) => ({
      flag: `--allow-sys=${kind}`,
      descriptor: { name: "sys", kind } as Deno.SysPermissionDescriptor,
    })),
  ];
}

/** `/a/b/c` has `/a/b`, `/a` and `/`. */
function ancestors(path: string): string[] {
  const parts = path.split("/").slice(1, -1);
  return ["/", ...parts.map((_, i) => "/" + parts.slice(0, i + 1).join("/"))];
}

async function grantedOf(permissions: readonly Permission[]): Promise<string[]> {
  const flags = [];
  for (const { flag, descriptor } of permissions) {
    if ((await Deno.permissions.query(descriptor)).state === "granted") flags.push(flag);
  }
  return flags;
}

async function deniedOf(permissions: readonly Permission[]): Promise<string[]> {
  const granted = await grantedOf(permissions);
  return permissions.map(({ flag }) => flag).filter((flag) => !granted.includes(flag));
}
