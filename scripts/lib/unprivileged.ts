/** PostgreSQL refuses to run as root. Here is who it runs as instead, and what that user can enter. */
import { dirname, join } from "node:path";

/** Empty where this process may run PostgreSQL itself. */
export interface UserIds {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * `postgres` where the machine has that user, else `nobody`: no user is added to a machine for a test.
 *
 * @throws {Error} as root on a machine that has neither
 */
export async function unprivilegedUser(): Promise<UserIds> {
  if (Deno.uid() !== 0) return {};
  const passwd = await Deno.readTextFile("/etc/passwd");
  for (const name of ["postgres", "nobody"]) {
    const fields = passwd.split("\n").find((line) => line.startsWith(`${name}:`))?.split(":");
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error("PostgreSQL does not run as root: add a user `postgres`, or run as another user");
}

/** Whether every user can enter this directory: each of its ancestors lets others pass. */
export async function isOpenToAll(directory: string): Promise<boolean> {
  if (Deno.uid() !== 0) return true;
  for (let path = directory;; path = dirname(path)) {
    const { mode } = await Deno.stat(path);
    if (((mode ?? 0) & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** Copies a directory with its symbolic links and modes. */
export async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { mode: 0o755 });
  for await (const entry of Deno.readDir(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymlink) await Deno.symlink(await Deno.readLink(source), target);
    else if (entry.isDirectory) await copyTree(source, target);
    else await Deno.copyFile(source, target);
  }
}
