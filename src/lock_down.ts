import { Worker as Thread } from "node:worker_threads";
import { ConfigurationError } from "./errors.ts";
import {
  type HostPort,
  permissionFlags,
  type SandboxNeeds,
  showHostPort,
  SYS_KINDS,
  type SysKind,
} from "./sandbox.ts";

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
  // These write into the runtime's cache directory, which is nobody's root, without asking for a
  // permission; a web worker would have the last one again.
  for (const name of ["localStorage", "sessionStorage", "caches", "Worker"]) {
    Reflect.deleteProperty(globalThis, name);
  }
  closeThreads();
  const advice = `Start it with exactly: ${permissionFlags(needs).join(" ")}`;
  if (tooMuch.length > 0) {
    throw new ConfigurationError(
      `${needs.program} refuses to run with more permissions than it needs: ` +
        `${tooMuch.join(", ")}. ${advice}`,
    );
  }
  const missing = await deniedOf(necessary(needs));
  if (missing.length > 0) {
    throw new ConfigurationError(
      `${needs.program} lacks permissions: ${missing.join(", ")}. ${advice}`,
    );
  }
}

/**
 * A thread of Node's begins with a global scope of its own, and has `caches` again. Its constructor calls, by
 * `super()`, what the class inherits from at that moment: from here on, a class that throws. Deleting the name
 * would leave `process.getBuiltinModule`.
 */
function closeThreads(): void {
  Object.setPrototypeOf(
    Thread,
    class {
      constructor() {
        throw new Deno.errors.NotCapable("this program has no threads");
      }
    },
  );
  Object.freeze(Thread);
}

interface Permission {
  /** As one would grant it on the command line. */
  readonly flag: string;
  readonly descriptor: Deno.PermissionDescriptor;
}

const reading = (path: string): Permission => ({
  flag: `--allow-read=${path}`,
  descriptor: { name: "read", path },
});
const writing = (path: string): Permission => ({
  flag: `--allow-write=${path}`,
  descriptor: { name: "write", path },
});
const reaching = (address: HostPort): Permission => ({
  flag: `--allow-net=${showHostPort(address)}`,
  descriptor: { name: "net", host: showHostPort(address) },
});
const asking = (kind: SysKind | "hostname"): Permission => ({
  flag: `--allow-sys=${kind}`,
  descriptor: { name: "sys", kind } as Deno.SysPermissionDescriptor,
});

/**
 * Grants that the program does not have: each kind as a whole, and the nearest wider ones, which a slip
 * of the hand gives (a directory above a root, writing what is only read, another port of the database's
 * host). `import` is not among them: the runtime grants it by default, which is why it is revoked.
 */
function excessive({ net, read, write, sys }: SandboxNeeds): Permission[] {
  const broad = (["read", "write", "net", "sys", "run", "ffi", "env"] as const)
    .map((name) => ({ flag: `--allow-${name}`, descriptor: { name } }));
  // The root directory is above everything, also where no file is needed at all.
  const above = new Set(["/", ...read.flatMap(ancestors)]);
  return [
    ...broad,
    ...[...above].map(reading),
    ...[...above, ...read.filter((path) => !write.includes(path))].map(writing),
    ...net.map((address) => anotherPort(address, net)).map(reaching),
    ...SYS_KINDS.filter((kind) => !sys.includes(kind)).map(asking),
    asking("hostname"),
  ];
}

function necessary({ net, read, write, sys }: SandboxNeeds): Permission[] {
  return [
    ...read.map(reading),
    ...write.map(writing),
    ...net.map(reaching),
    ...sys.map(asking),
  ];
}

/** Ports 1 to 3: one of them is free even of a program that both listens and connects. */
function anotherPort({ host }: HostPort, net: readonly HostPort[]): HostPort {
  const port = [1, 2, 3].find((each) => net.every((known) => known.port !== each)) ?? 3;
  return { host, port };
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
