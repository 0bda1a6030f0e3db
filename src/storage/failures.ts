import {
  cannot,
  ConfigurationError,
  MediaFailureError,
  messageOf,
  type PauseReason,
  StorageDistrustedError,
  StorageLostError,
  StoragePausedError,
} from "../errors.ts";
import { osCode } from "./file_calls.ts";
import { isSkeleton } from "./layout.ts";

/**
 * Decides, at the edge, what an error of the operating system means: for the storage (it pauses, is lost,
 * is distrusted) or for one media alone. A failed fsync never comes here: `fsyncFailure`.
 */

const PAUSES: Record<string, PauseReason> = {
  ENOSPC: "no space",
  EDQUOT: "quota",
  EROFS: "read-only",
};

/** The disk or the file system's own structure is damaged. */
const DAMAGE = ["EIO", "EUCLEAN", "EREMOTEIO", "EBADMSG", "EILSEQ", "ETIMEDOUT", "ENODATA"];

/** What the file system stood on has gone away. */
const GONE = ["ENXIO", "ENODEV", "ENOMEDIUM", "ESTALE", "ENOTCONN", "ESHUTDOWN"];

/** This process or machine has run out of something: no word on the media, the next start is clean. */
const PROCESS = ["EMFILE", "ENFILE", "ENOMEM"];

const FIXES: Record<PauseReason, string> = {
  "no space": "make room on its disk",
  "no inodes": "its file system has no inodes left; make it again with more, or remove files",
  "reserve": "make room on its disk, or give a smaller --reserve",
  "read-only": "see why (dmesg), then remount it read-write",
  "quota": "raise the quota of the worker's user",
};

/**
 * What an error means that came of changing the file system: creating, writing, linking, making a
 * directory, opening one for its fsync.
 *
 * @param action as in "Cannot <action>"
 */
export function changeFailure(error: unknown, action: string, mediaId: bigint): unknown {
  const code = osCode(error) ?? "";
  const pausing = PAUSES[code];
  if (pausing !== undefined) {
    return pausedError(pausing, cannot(action, error), error);
  }
  if (DAMAGE.includes(code)) {
    return new StorageDistrustedError(
      cannot(action, error, `the disk or its file system is damaged. ${AFTER_DISTRUST}`),
      { cause: error },
    );
  }
  if (GONE.includes(code)) {
    return new StorageLostError(
      cannot(action, error, "the storage's disk has gone. See dmesg, and mount it again"),
      { cause: error },
    );
  }
  return readFailure(error, action, mediaId);
}

/** Not being allowed something. `chattr +i` answers EPERM. */
const REFUSALS = ["EACCES", "EPERM"];

/**
 * As `changeFailure`, for an error met in a certain directory. Not to be allowed into one that
 * `storage init` made is no media's fault, and none could be stored.
 *
 * @param directory relative to the root
 */
export function changeFailureIn(
  directory: string,
  error: unknown,
  action: string,
  mediaId: bigint,
): unknown {
  const refused = isSkeleton(directory) ? refusal(error, action) : null;
  return refused ?? changeFailure(error, action, mediaId);
}

/** The ConfigurationError of a worker that is not allowed to work in its storage; null for other errors. */
export function refusal(error: unknown, action: string): ConfigurationError | null {
  if (!REFUSALS.includes(osCode(error) ?? "")) return null;
  return new ConfigurationError(
    cannot(
      action,
      error,
      "run the worker as the user that owns the storage, and see the modes of its directories",
    ),
    { cause: error },
  );
}

/**
 * What an error means that came of reading something that exists: never more than this media's
 * trouble, unless the process itself is at its end.
 */
export function readFailure(error: unknown, action: string, mediaId: bigint): unknown {
  const code = osCode(error) ?? "";
  if (code === "" || PROCESS.includes(code)) return error;
  return new MediaFailureError(mediaId, cannot(action, error), { cause: error });
}

/** Whether an error says something about the file or disk, and nothing about this program. */
export function isOfFile(error: unknown): boolean {
  const code = osCode(error);
  return code !== undefined && !PROCESS.includes(code);
}

const AFTER_DISTRUST = "Remount it, run `storage verify`, then `storage trust`";

/**
 * Whatever a failed fsync says, the pages it could not write may be marked clean by now and a second
 * fsync would succeed without having written them. So its reason decides nothing.
 */
export function fsyncFailure(error: unknown, path: string): StorageDistrustedError {
  const said = messageOf(error);
  return new StorageDistrustedError(
    `The fsync of ${path} failed: ${said}; what this disk has taken since the last one is in doubt. ` +
      AFTER_DISTRUST,
    { cause: error },
  );
}

/** @param what happened, or what was found */
export function pausedError(
  reason: PauseReason,
  what: string,
  cause?: unknown,
): StoragePausedError {
  return new StoragePausedError(
    reason,
    `${what}; ${FIXES[reason]}`,
    cause === undefined ? {} : { cause },
  );
}
