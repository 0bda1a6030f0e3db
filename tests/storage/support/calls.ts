import { type FileCalls, fileCalls } from "../../../src/storage/file_calls.ts";

export type CallName = keyof FileCalls;

/** One call on the file system, as the store made it. */
export interface Call {
  readonly name: CallName;
  /** Of the file or directory; of a link: the new name. */
  readonly path: string;
}

/**
 * Passes every call on to the real file system, in between telling of it.
 *
 * @param before may throw instead of letting the call happen
 * @param after is told once a call has succeeded
 */
export function wrapCalls(
  before: (call: Call) => void,
  after: (call: Call) => void = () => {},
): FileCalls {
  const paths = new WeakMap<Deno.FsFile, string>();
  const around = <T>(call: Call, act: () => T): T => {
    before(call);
    const result = act();
    after(call);
    return result;
  };
  const aroundAsync = async <T>(call: Call, act: () => Promise<T>): Promise<T> => {
    before(call);
    const result = await act();
    after(call);
    return result;
  };
  const opened = (path: string, file: Deno.FsFile) => {
    paths.set(file, path);
    return file;
  };
  const pathOf = (file: Deno.FsFile) => paths.get(file) ?? "?";
  return {
    openNew: (path, mode) =>
      around({ name: "openNew", path }, () => opened(path, fileCalls.openNew(path, mode))),
    openRead: (path) =>
      around({ name: "openRead", path }, () => opened(path, fileCalls.openRead(path))),
    write: (file, bytes) =>
      around({ name: "write", path: pathOf(file) }, () => fileCalls.write(file, bytes)),
    read: (file, into) =>
      around({ name: "read", path: pathOf(file) }, () => fileCalls.read(file, into)),
    fstat: (file) => around({ name: "fstat", path: pathOf(file) }, () => fileCalls.fstat(file)),
    syncData: (file) =>
      aroundAsync({ name: "syncData", path: pathOf(file) }, () => fileCalls.syncData(file)),
    sync: (file) => aroundAsync({ name: "sync", path: pathOf(file) }, () => fileCalls.sync(file)),
    tryLock: (file, exclusive) =>
      aroundAsync(
        { name: "tryLock", path: pathOf(file) },
        () => fileCalls.tryLock(file, exclusive),
      ),
    unlock: (file) => around({ name: "unlock", path: pathOf(file) }, () => fileCalls.unlock(file)),
    close: (file) => around({ name: "close", path: pathOf(file) }, () => fileCalls.close(file)),
    mkdir: (path, mode) => around({ name: "mkdir", path }, () => fileCalls.mkdir(path, mode)),
    link: (from, to) => around({ name: "link", path: to }, () => fileCalls.link(from, to)),
    lstat: (path) => around({ name: "lstat", path }, () => fileCalls.lstat(path)),
    names: (path) => around({ name: "names", path }, () => fileCalls.names(path)),
    realPath: (path) => around({ name: "realPath", path }, () => fileCalls.realPath(path)),
    statfs: (path) => around({ name: "statfs", path }, () => fileCalls.statfs(path)),
  };
}

/** A fault that is there while it is set. */
export class Fault {
  #rule: ((call: Call) => string | null) | null = null;
  /** How often it struck. */
  struck = 0;
  readonly calls = wrapCalls((call) => {
    const code = this.#rule?.(call) ?? null;
    if (code === null) return;
    this.struck += 1;
    throw osError(code, `${call.name} '${call.path}'`);
  });

  /** @param rule the code of the error that a call shall meet, or null */
  set(rule: (call: Call) => string | null): void {
    this.#rule = rule;
  }

  clear(): void {
    this.#rule = null;
  }
}

/** As under a umask, which itself belongs to the whole process and so to other tests too. */
export function maskedCalls(umask: number): FileCalls {
  return {
    ...fileCalls,
    openNew: (path, mode) => fileCalls.openNew(path, mode & ~umask),
    mkdir: (path, mode) => fileCalls.mkdir(path, mode & ~umask),
  };
}

const CLASSES: Record<string, new (message: string) => Error> = {
  ENOENT: Deno.errors.NotFound,
  EEXIST: Deno.errors.AlreadyExists,
  EACCES: Deno.errors.PermissionDenied,
  EPERM: Deno.errors.PermissionDenied,
  ENOTDIR: Deno.errors.NotADirectory,
  ELOOP: Deno.errors.FilesystemLoop,
};

/** Those to which Deno gives no code: only the message tells. */
const NAMELESS: Record<string, number> = { ENXIO: 6, EFBIG: 27, ENOTSUP: 95, EDQUOT: 122 };

/** An error such as the runtime makes of an errno. */
export function osError(code: string, what: string): Error {
  const number = NAMELESS[code];
  if (number !== undefined) return new Error(`Injected ${code} (os error ${number}): ${what}`);
  const Class = CLASSES[code] ?? Error;
  return Object.assign(new Class(`Injected ${code}: ${what}`), { code });
}
