import { statfs, statfsSync } from "node:fs";

/** Space of a file system as `statfs` reports it. */
export interface FileSystemSpace {
  /** The magic number that names the kind of file system. */
  readonly type: number;
  /** Bytes in one block. */
  readonly blockSize: number;
  readonly blocks: number;
  /** Blocks that an unprivileged process may still take. */
  readonly blocksAvailable: number;
  /** All inodes; 0 where the file system has no fixed number (btrfs, FAT, CephFS). */
  readonly inodes: number;
  readonly inodesFree: number;
}

/**
 * Every call that the store makes on the file system, and no other: what isn't here, a worker cannot
 * do. There is nothing that removes, renames, truncates, overwrites or changes a mode; a file can be
 * written only through the handle that created it.
 *
 * Tests wrap this object to record calls and to make them fail. Each is one property look-up away from
 * Deno's own, which costs nothing that could be measured beside a system call of 5 to 50 µs.
 *
 * Creating, writing and linking are synchronous, fsyncs are not: with 20 KB files +9 % against all
 * asynchronous, +64 % against all synchronous. That is for a local disk. Over a network (`remoteCalls`)
 * nothing is: a call that waits for a server that has died would hold up heartbeats and receipts too.
 */
export interface FileCalls {
  /** O_WRONLY | O_CREAT | O_EXCL: never opens what exists, be it a dangling link. */
  openNew(path: string, mode: number): Deno.FsFile;
  /** O_RDONLY, of a file or a directory. Follows links and hangs on a FIFO: lstat first. */
  openRead(path: string): Deno.FsFile;
  /** May write less than all. */
  write(file: Deno.FsFile, bytes: Uint8Array): number;
  /** Bytes read, null at the end. */
  read(file: Deno.FsFile, into: Uint8Array): number | null;
  fstat(file: Deno.FsFile): Deno.FileInfo;
  /** fdatasync */
  syncData(file: Deno.FsFile): Promise<void>;
  /** fsync, of a directory */
  sync(file: Deno.FsFile): Promise<void>;
  /**
   * flock LOCK_EX | LOCK_NB, or LOCK_SH | LOCK_NB if others may share it: needs no more than a handle for
   * reading. False where another holds it.
   */
  tryLock(file: Deno.FsFile, exclusive: boolean): Promise<boolean>;
  unlock(file: Deno.FsFile): void;
  close(file: Deno.FsFile): void;
  /** Not recursive: a missing parent is ENOENT. */
  mkdir(path: string, mode: number): void;
  /** A hard link; never replaces what exists (EEXIST), never follows a link at `from`. */
  link(from: string, to: string): void;
  /** Null where there is nothing of that name. */
  lstat(path: string): Deno.FileInfo | null;
  /** The names in a directory. */
  names(path: string): string[];
  /** The path with every link in it resolved. */
  realPath(path: string): string;
  statfs(path: string): FileSystemSpace;
}

/** The same calls, each of which may give a promise. */
export type AwaitableCalls =
  & Pick<FileCalls, "close">
  & {
    readonly [Name in Exclude<keyof FileCalls, "close">]: (
      ...args: Parameters<FileCalls[Name]>
    ) => ReturnType<FileCalls[Name]> | Promise<Awaited<ReturnType<FileCalls[Name]>>>;
  };

/** The real ones, for a local disk. */
export const fileCalls: FileCalls = {
  openNew: (path, mode) => Deno.openSync(path, { write: true, createNew: true, mode }),
  openRead: (path) => Deno.openSync(path, { read: true }),
  write: (file, bytes) => file.writeSync(bytes),
  read: (file, into) => file.readSync(into),
  fstat: (file) => file.statSync(),
  syncData: (file) => file.syncData(),
  sync: (file) => file.sync(),
  tryLock: (file, exclusive) => file.tryLock(exclusive),
  unlock: (file) => file.unlockSync(),
  close: (file) => file.close(),
  mkdir: (path, mode) => Deno.mkdirSync(path, { mode }),
  link: (from, to) => Deno.linkSync(from, to),
  lstat(path) {
    try {
      return Deno.lstatSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  },
  names: (path) => [...Deno.readDirSync(path)].map(({ name }) => name),
  realPath: (path) => Deno.realPathSync(path),
  statfs(path) {
    return spaceOf(statfsSync(path));
  },
};

/**
 * The real ones, for what is reached over a network: none waits on the event loop but `close`, of which the
 * runtime has no other. It comes after the answer to a fdatasync or fsync, when least is left to wait for.
 */
export const remoteCalls: AwaitableCalls = {
  openNew: (path, mode) => Deno.open(path, { write: true, createNew: true, mode }),
  openRead: (path) => Deno.open(path, { read: true }),
  write: (file, bytes) => file.write(bytes),
  read: (file, into) => file.read(into),
  fstat: (file) => file.stat(),
  syncData: (file) => file.syncData(),
  sync: (file) => file.sync(),
  tryLock: (file, exclusive) => file.tryLock(exclusive),
  unlock: (file) => file.unlock(),
  close: (file) => file.close(),
  mkdir: (path, mode) => Deno.mkdir(path, { mode }),
  link: (from, to) => Deno.link(from, to),
  async lstat(path) {
    try {
      return await Deno.lstat(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  },
  async names(path) {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(path)) names.push(name);
    return names;
  },
  realPath: (path) => Deno.realPath(path),
  statfs: (path) =>
    new Promise((resolve, reject) => {
      statfs(path, (error, said) => error === null ? resolve(spaceOf(said)) : reject(error));
    }),
};

/** What Node gives of a `statfs`. */
type Statfs = Readonly<
  Record<"type" | "bsize" | "blocks" | "bavail" | "files" | "ffree", number>
>;

/**
 * Makes sense of what `statfs` says. A file system in the kernel counts; another may say anything: CephFS
 * has the inodes in use as all inodes and 2^64 - 1 of them free, which no `bigint` of the inbox can hold.
 */
export function spaceOf(said: Statfs): FileSystemSpace {
  const blockSize = Math.max(1, countOf(said.bsize));
  // Products of blocks and their size must stay whole numbers, too.
  const most = Math.floor(Number.MAX_SAFE_INTEGER / blockSize);
  const blocks = Math.min(countOf(said.blocks), most);
  const counts = said.ffree <= said.files;
  return {
    type: said.type,
    blockSize,
    blocks,
    blocksAvailable: Math.min(countOf(said.bavail), most),
    inodes: counts ? countOf(said.files) : 0,
    inodesFree: counts ? countOf(said.ffree) : 0,
  };
}

function countOf(said: number): number {
  return Number.isFinite(said) ? Math.min(Math.max(0, said), Number.MAX_SAFE_INTEGER) : 0;
}

/**
 * Linux's numbers of what Deno gives no name to: `error.code` is undefined, only the message ends in
 * "(os error 122)". Tried with each code that `failures.ts` knows.
 */
const NAMELESS: Record<number, string> = {
  6: "ENXIO",
  19: "ENODEV",
  23: "ENFILE",
  27: "EFBIG",
  61: "ENODATA",
  74: "EBADMSG",
  84: "EILSEQ",
  108: "ESHUTDOWN",
  116: "ESTALE",
  117: "EUCLEAN",
  121: "EREMOTEIO",
  122: "EDQUOT",
  123: "ENOMEDIUM",
};

/** `ENOSPC`, `EIO`, … of an error that the operating system gave; undefined for any other. */
export function osCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  // This project's own errors repeat such a message, and mean more than it says.
  if (error.name !== "Error") return undefined;
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  if (number === undefined) return undefined;
  return NAMELESS[Number(number)] ?? `E${number}`;
}
