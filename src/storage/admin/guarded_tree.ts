import { closeSync, constants, fchmodSync, fstatSync, fsyncSync } from "node:fs";
import { mkdirSync, openSync, renameSync, unlinkSync } from "node:fs";
import { ConfigurationError } from "../../errors.ts";
import { fileCalls } from "../file_calls.ts";
import { type Format, IDENTITY_PATH, ObjectLayout, parentOf } from "../layout.ts";
import { giveTo, type Owner } from "./ownership.ts";

/** Which file something is, whatever its names. */
export interface FileId {
  readonly dev: number;
  readonly ino: number | null;
}

/** Names of a directory that are looked at together. */
const PAGE = 1000;

export function sameFile(a: FileId, b: FileId): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** A name of a directory, as lstat shows it. */
export interface Listed {
  readonly name: string;
  readonly info: Deno.FileInfo;
}

/** What a name is, for a sentence. */
export function kindOf(info: Deno.FileInfo): string {
  if (info.isSymlink) return "a symbolic link";
  if (info.isDirectory) return "a directory";
  if (info.isFile) return "a file";
  return "a special file";
}

/**
 * The only way in which the administrator's tools touch a tree. Paths are relative to its root.
 *
 * Whoever owns a tree can put a link, a FIFO, a device or another file system at any place of it. So
 * every directory above a name must be a real one on the root's device, and what was opened must be what
 * was looked at, by device and inode. O_NOFOLLOW is no help: once a program has given up any of its
 * permissions Deno resolves a path before it opens it, and refuses /proc/self/fd, which would be the way
 * to open below a directory that is open (tried with 2.9.6).
 *
 * Between looking and acting a name can still be swapped, by the owner alone: what happens then happens
 * with the owner's rights, which root has taken for its own by then (`enterTree`). As root itself
 * nothing is changed below a directory in which anybody else could do that.
 */
export class GuardedTree {
  readonly #root: FileId;
  /** Files are compared with a file's device: overlayfs gives directories another. */
  readonly #fileDevice: number;
  readonly #isRoot = Deno.uid() === 0;

  /**
   * @param format of the storage; null where nothing is asked about its objects
   * @throws {ConfigurationError | Deno.errors.NotFound} the root is not a real directory, or missing
   */
  constructor(readonly root: string, private readonly format: Format | null) {
    const info = fileCalls.lstat(root);
    if (info === null) throw new Deno.errors.NotFound(`${root} does not exist`);
    if (!info.isDirectory) {
      throw new ConfigurationError(`${root} is ${kindOf(info)}, not a directory`);
    }
    this.#root = { dev: info.dev, ino: info.ino };
    this.#fileDevice = fileCalls.lstat(`${root}/${IDENTITY_PATH}`)?.dev ?? info.dev;
  }

  /** Where its objects are. */
  get objects(): ObjectLayout {
    if (this.format === null) throw new TypeError(`the form of ${this.root} is not known`);
    return ObjectLayout.of(this.format);
  }

  /** Whether a file or directory is on the file system that the root is on. */
  isOnDevice({ dev, isDirectory }: Pick<Deno.FileInfo, "dev" | "isDirectory">): boolean {
    return dev === (isDirectory ? this.#root.dev : this.#fileDevice);
  }

  /** A name, as lstat shows it; null where there is none, or no directory of its path. */
  look(path: string): Deno.FileInfo | null {
    const directory = this.#lookAtDirectory(parentOf(path), false);
    return directory === null ? null : this.#lstat(path);
  }

  /** A regular file of the tree. @throws {ConfigurationError} it is anything else */
  requireFile(path: string): Deno.FileInfo {
    const info = this.look(path);
    if (info === null) throw new Deno.errors.NotFound(`${this.#absolute(path)} does not exist`);
    if (!info.isFile) throw this.#unfit(path, `is ${kindOf(info)}, not a file`);
    this.#requireDevice(path, info);
    return info;
  }

  /**
   * The names in a directory in byte order, all of them seen in the same one; none where there is no
   * directory of that path.
   */
  list(path: string): Listed[] {
    return [...this.each(path)];
  }

  /**
   * As `list`, a page at a time: of a directory with a million owners, what lstat says would take 2 GB. The
   * names themselves are in memory, since the runtime lists a directory as a whole.
   */
  *each(path: string): Generator<Listed> {
    const before = this.#lookAtDirectory(path, false);
    if (before === null) return;
    const names = Array.from(Deno.readDirSync(this.#absolute(path)), ({ name }) => name).sort();
    // Once also where there are none: it may be an empty directory that was put there.
    for (let at = 0; at === 0 || at < names.length; at += PAGE) {
      const found: Listed[] = [];
      for (const name of names.slice(at, at + PAGE)) {
        const info = this.#lstat(path === "" ? name : `${path}/${name}`);
        // Gone between the listing and now: only an administrator's tool removes names.
        if (info !== null) found.push({ name, info });
      }
      this.#requireSame(path, before);
      yield* found;
    }
  }

  /** Opens a regular file to read it; does not hang on anything else. */
  openRead(path: string, expected: FileId = this.requireFile(path)): number {
    this.#requireDirectory(parentOf(path), false);
    return this.#open(path, constants.O_RDONLY, 0, expected);
  }

  /** Opens a file to append to it, or creates it. */
  openAppend(path: string, mode: number): number {
    const directory = this.#requireDirectory(parentOf(path), true);
    if (this.#lstat(path) === null) {
      closeSync(this.create(path, mode));
      this.#requireSame(parentOf(path), directory);
    }
    return this.#open(path, constants.O_WRONLY | constants.O_APPEND, 0, this.requireFile(path));
  }

  /** Creates a file that did not exist. @throws {Error} with code EEXIST */
  create(path: string, mode: number): number {
    const directory = this.#requireDirectory(parentOf(path), true);
    const { O_WRONLY, O_CREAT, O_EXCL } = constants;
    const fd = openSync(this.#absolute(path), O_WRONLY | O_CREAT | O_EXCL, mode);
    return this.#checked(path, fd, () => {
      this.#requireSame(parentOf(path), directory);
      this.#requireDevice(path, { dev: fstatSync(fd).dev, isDirectory: false });
    });
  }

  /** Makes a directory, where there is none of that name yet. */
  makeDirectory(path: string, mode: number): void {
    this.#requireDirectory(parentOf(path), true);
    try {
      mkdirSync(this.#absolute(path), { mode });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    this.#requireDirectory(path, false);
  }

  /** Gives a file of the tree, which must be `expected`, a further name that did not exist. */
  link(from: string, to: string, expected: FileId): void {
    this.#requireDirectory(parentOf(from), true);
    this.#requireDirectory(parentOf(to), true);
    this.#requireExpected(from, expected);
    Deno.linkSync(this.#absolute(from), this.#absolute(to));
    this.#requireExpected(to, expected);
  }

  /** Removes a name of a file, which must be `expected`. */
  remove(path: string, expected: FileId): void {
    this.#requireDirectory(parentOf(path), true);
    this.#requireExpected(path, expected);
    unlinkSync(this.#absolute(path));
  }

  /** Gives a file the name of another one, in one step; the other one must be `expected`. */
  replace(draft: string, path: string, expected: FileId): void {
    this.#requireDirectory(parentOf(draft), true);
    this.#requireDirectory(parentOf(path), true);
    this.#requireExpected(path, expected);
    renameSync(this.#absolute(draft), this.#absolute(path));
  }

  /**
   * Gives a file or directory its owner and mode, then fsyncs it.
   *
   * @param expected which one it must be
   * @throws {ConfigurationError} it belongs to another user, and only root can change that
   */
  settle(path: string, owner: Owner | null, mode: number | null, expected?: FileId): void {
    this.#requireDirectory(parentOf(path), owner !== null || mode !== null);
    const info = this.#lstat(path);
    if (info === null) throw new Deno.errors.NotFound(`${this.#absolute(path)} does not exist`);
    if (!info.isFile && !info.isDirectory) throw this.#unfit(path, `is ${kindOf(info)}`);
    this.#requireDevice(path, info);
    // Before it is opened: what is another's need not be readable.
    if (owner !== null && info.uid !== owner.uid) {
      requireMine(this.#absolute(path), info.uid ?? 0, owner);
    }
    const fd = this.#open(path, constants.O_RDONLY, 0, expected ?? info);
    try {
      settleDescriptor(fd, this.#absolute(path), owner, mode);
    } finally {
      closeSync(fd);
    }
  }

  /** Makes the names in a directory durable. */
  sync(directory: string): void {
    const info = this.#requireDirectory(directory, false);
    const fd = this.#open(directory, constants.O_RDONLY | constants.O_DIRECTORY, 0, info);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #absolute(path: string): string {
    return path === "" ? this.root : `${this.root}/${path}`;
  }

  #lstat(path: string): Deno.FileInfo | null {
    return fileCalls.lstat(this.#absolute(path));
  }

  /** Non-blocking, so that a FIFO that was put there in between is opened, seen and refused. */
  #open(path: string, flags: number, mode: number, expected: FileId): number {
    const fd = openSync(this.#absolute(path), flags | constants.O_NONBLOCK, mode);
    return this.#checked(path, fd, () => {
      if (!sameFile(fstatSync(fd), expected)) throw this.#replaced(path);
    });
  }

  #checked(path: string, fd: number, check: () => void): number {
    try {
      check();
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error instanceof ConfigurationError ? error : this.#unfit(path, String(error));
    }
  }

  #requireExpected(path: string, expected: FileId): void {
    const info = this.#lstat(path);
    if (info === null || !info.isFile || !sameFile(info, expected)) throw this.#replaced(path);
  }

  #requireSame(directory: string, expected: FileId): void {
    if (!sameFile(this.#requireDirectory(directory, false), expected)) {
      throw this.#replaced(directory);
    }
  }

  #requireDirectory(path: string, toChange: boolean): Deno.FileInfo {
    const info = this.#lookAtDirectory(path, toChange);
    if (info === null) throw this.#unfit(path, "does not exist");
    return info;
  }

  /** A directory and all above it, up to the root; null where one of them does not exist. */
  #lookAtDirectory(path: string, toChange: boolean): Deno.FileInfo | null {
    const parts = path === "" ? [] : path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === "..")) {
      throw this.#unfit(path, "is no path within a storage");
    }
    let info = this.#lstat("");
    if (info === null || !sameFile(info, this.#root)) throw this.#replaced("");
    for (let i = 0;; i++) {
      const here = parts.slice(0, i).join("/");
      if (!info.isDirectory) throw this.#unfit(here, `is ${kindOf(info)}, not a directory`);
      this.#requireDevice(here, info);
      if (toChange && this.#isRoot) this.#requireOwn(here, info);
      if (i === parts.length) return info;
      info = this.#lstat(parts.slice(0, i + 1).join("/"));
      if (info === null) return null;
    }
  }

  #requireDevice(path: string, info: Pick<Deno.FileInfo, "dev" | "isDirectory">): void {
    if (!this.isOnDevice(info)) throw this.#unfit(path, "is on another file system");
  }

  #requireOwn(path: string, { uid, mode }: Deno.FileInfo): void {
    if (uid === 0 && ((mode ?? 0) & 0o022) === 0) return;
    throw this.#unfit(
      path,
      `can be written to by others than root (uid ${uid}, mode ${
        ((mode ?? 0) & 0o7777).toString(8)
      }), ` +
        "although the root is root's: chown -R the whole to one user",
    );
  }

  #replaced(path: string): ConfigurationError {
    return this.#unfit(path, "changed underneath: it is not what it was a moment ago");
  }

  #unfit(path: string, why: string): ConfigurationError {
    return new ConfigurationError(`${this.#absolute(path)} ${why}; see who did that`);
  }
}

function settleDescriptor(fd: number, path: string, owner: Owner | null, mode: number | null) {
  const found = fstatSync(fd);
  if (owner !== null && (found.uid !== owner.uid || found.gid !== owner.gid)) {
    requireMine(path, found.uid, owner);
    giveTo(fd, owner);
  }
  // After the owner, since a change of owner may take bits away.
  if (mode !== null && (fstatSync(fd).mode & 0o7777) !== mode) fchmodSync(fd, mode);
  fsyncSync(fd);
}

/** Only root may give a file away, and root's rights are gone in a tree that others can write to. */
function requireMine(path: string, uid: number, owner: Owner): void {
  if (Deno.uid() === 0 || uid === Deno.uid()) return;
  throw new ConfigurationError(
    `${path} belongs to uid ${uid}; give it to the worker's user first, as root and while nothing ` +
      `else writes there: chown -h ${owner.uid}:${owner.gid} (or chown -R of the whole root)`,
  );
}
