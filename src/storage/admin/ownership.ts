import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
} from "node:fs";
import { ConfigurationError } from "../../errors.ts";
import { type FileCalls, fileCalls } from "../file_calls.ts";

/** Whose everything in a root is: the worker's user, who owns the root. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who must own what is written into a root.
 *
 * @throws {ConfigurationError} neither root nor that user runs this: what it makes could not be theirs
 */
export function requireWriter(root: string): Owner {
  const { uid, gid } = Deno.lstatSync(root);
  const me = Deno.uid();
  if (uid === null || gid === null || (me !== 0 && me !== uid)) {
    throw new ConfigurationError(
      `Cannot write to ${root}: it belongs to uid ${uid}, this is uid ${me}; ` +
        "run this as root or as that user",
    );
  }
  return { uid, gid };
}

/** Gives a file or directory its owner and mode, then fsyncs it. A link in its place is refused. */
export function settle(path: string, owner: Owner | null, mode: number | null): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = fstatSync(fd);
    if (owner !== null && (found.uid !== owner.uid || found.gid !== owner.gid)) {
      fchownSync(fd, owner.uid, owner.gid);
    }
    // After the owner, since a change of owner may take bits away.
    if (mode !== null && (fstatSync(fd).mode & 0o7777) !== mode) fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes the names in a directory durable. */
export function syncDirectory(path: string): void {
  settle(path, null, null);
}

/**
 * The store's calls, for an administrator: whatever they make belongs to the root's owner and has
 * exactly the mode that was asked for, whoever runs this and under whatever umask.
 */
export function callsAs(owner: Owner): FileCalls {
  return {
    ...fileCalls,
    openNew(path, mode) {
      const file = fileCalls.openNew(path, mode);
      try {
        own(path, owner, mode, file.statSync().ino);
        return file;
      } catch (error) {
        file.close();
        throw error;
      }
    },
    mkdir(path, mode) {
      fileCalls.mkdir(path, mode);
      own(path, owner, mode, null);
    },
  };
}

function own(path: string, owner: Owner, mode: number, inode: number | null): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = fstatSync(fd);
    if (inode !== null && found.ino !== inode) throw new Error(`${path} was replaced at once`);
    if (found.uid !== owner.uid || found.gid !== owner.gid) fchownSync(fd, owner.uid, owner.gid);
    if ((fstatSync(fd).mode & 0o7777) !== mode) fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}
