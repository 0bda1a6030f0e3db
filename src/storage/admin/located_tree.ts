import { basename, dirname, join, resolve } from "node:path";
import { cannot, ConfigurationError } from "../../errors.ts";
import type { Owner } from "./ownership.ts";

/** A tree that a command will work on, as it was found before a single name in it was looked at. */
export interface Located {
  /** Absolute, without links. */
  readonly path: string;
  /** The owner of everything in it; null where there is nothing yet. */
  readonly owner: Owner | null;
  readonly device: number;
  readonly inode: number;
}

/**
 * Finds a tree by the path that the administrator gave, which may be relative or go through links.
 *
 * @param missing whether it may still have to be made
 * @throws {ConfigurationError} it is not there; or this is root, and others could put another one there
 */
export function locate(given: string, missing = false): Located {
  const path = realPath(given, missing);
  const info = lstat(path);
  if (info === null || info.uid === null || info.gid === null) {
    if (Deno.uid() === 0) requireOwnPlace(dirname(path), 0);
    return { path, owner: null, device: 0, inode: 0 };
  }
  const owner = { uid: info.uid, gid: info.gid };
  if (Deno.uid() === 0) requireOwnPlace(owner.uid === 0 ? path : dirname(path), owner.uid);
  return { path, owner, device: info.dev, inode: info.ino ?? 0 };
}

/** Makes sure that a tree is still the one that was found, now that this process is its owner. */
export function requireLocated({ path, owner, device, inode }: Located): void {
  if (owner === null) return;
  const now = lookAsOwner(path, owner);
  if (now.dev === device && now.ino === inode) return;
  throw new ConfigurationError(`${path} was replaced in this moment; find out by whom`);
}

/**
 * Root may rely on a path only if nobody else can put something else there: each directory on the way
 * belongs to root, or to the owner whose rights will be taken, and nobody else may rename in it.
 */
function requireOwnPlace(directory: string, uid: number): void {
  for (let path = directory;; path = dirname(path)) {
    const info = Deno.lstatSync(path);
    const mode = info.mode ?? 0;
    // In a sticky directory such as /tmp nobody can rename what is another's.
    const shared = (mode & 0o022) !== 0 &&
      ((mode & 0o1000) === 0 || path === directory && uid === 0);
    if (info.uid !== 0 && info.uid !== uid || shared) {
      throw new ConfigurationError(
        `Cannot work as root below ${path}: it can be written to by others than root (uid ${info.uid}, ` +
          `mode ${(mode & 0o7777).toString(8)}), who could put anything in the tree's place; ` +
          "fix that directory's owner and mode, or run this as the tree's owner",
      );
    }
    if (path === dirname(path)) return;
  }
}

function lookAsOwner(path: string, { uid }: Owner): Deno.FileInfo {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    throw new ConfigurationError(
      cannot(
        `look at ${path} as its owner (uid ${uid})`,
        error,
        "every directory above it must let that user pass, and a mount by FUSE, such as sshfs, needs " +
          "-o allow_other",
      ),
    );
  }
}

/** A path without links; of one that does not exist, that of its directory, with its name. */
function realPath(given: string, missing: boolean): string {
  const path = resolve(given);
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!missing || !(error instanceof Deno.errors.NotFound)) throw unreadable(path, error);
  }
  return join(realPath(dirname(path), false), basename(path));
}

function lstat(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): ConfigurationError {
  if (error instanceof Deno.errors.NotFound) {
    return new ConfigurationError(
      `${path} does not exist; mount its disk, or name another directory`,
    );
  }
  return new ConfigurationError(cannot(`look at ${path}`, error));
}
