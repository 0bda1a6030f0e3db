import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync } from "node:fs";
import { ConfigurationError } from "../../errors.ts";
import { type FileCalls, fileCalls } from "../file_calls.ts";

/** The owner of every file in a root: the worker's user, who owns the root. */
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

/**
 * The store's calls, for an administrator: whatever they make belongs to the root's owner and group and
 * has exactly the mode that was asked for, whoever runs this and under whatever umask.
 */
export function callsAs(owner: Owner): FileCalls {
  return {
    ...fileCalls,
    openRead(path) {
      const info = Deno.lstatSync(path);
      if (info.isFile || info.isDirectory) return fileCalls.openRead(path);
      throw new ConfigurationError(`${path} is neither a file nor a directory; see who made it`);
    },
    openNew(path, mode) {
      const file = fileCalls.openNew(path, mode);
      try {
        own(path, owner, mode, file.statSync());
        return file;
      } catch (error) {
        file.close();
        throw error;
      }
    },
    mkdir(path, mode) {
      fileCalls.mkdir(path, mode);
      own(path, owner, mode, Deno.lstatSync(path));
    },
  };
}

/** Gives an open file or directory to an owner. */
export function giveTo(fd: number, { uid, gid }: Owner): void {
  const found = fstatSync(fd);
  if (found.uid !== uid || found.gid !== gid) fchownSync(fd, uid, gid);
}

function own(path: string, owner: Owner, mode: number, made: Deno.FileInfo): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(fd);
    if (found.ino !== made.ino || found.dev !== made.dev) {
      throw new Error(`${path} was replaced at once`);
    }
    giveTo(fd, owner);
    if ((fstatSync(fd).mode & 0o7777) !== mode) fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}
