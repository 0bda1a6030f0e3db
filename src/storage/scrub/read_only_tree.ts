import { StorageLostError } from "../../errors.ts";
import { type FileCalls, fileCalls } from "../file_calls.ts";
import { type Format, IDENTITY_PATH, ObjectLayout, parentOf } from "../layout.ts";

/** The calls that a scrub makes on the file system: none of them can write a byte. */
export type ReadCalls = Pick<
  FileCalls,
  "lstat" | "names" | "openRead" | "read" | "fstat" | "close" | "statfs"
>;

/** Something of a tree cannot be looked at; the message follows its path. */
export class UnreadableError extends Error {
  override readonly name = "UnreadableError";
}

/** What is said of a name that is listed and cannot be asked for. */
export const UNSPEAKABLE = "has a name that is no UTF-8; see who made it";

/** Whether a name that is not found is one whose bytes are no UTF-8, for which the runtime shows U+FFFD. */
export function isUnspeakable(path: string): boolean {
  return path.includes("\u{fffd}");
}

/**
 * A storage's tree, for a reader that does not trust it: no symbolic link is followed, nothing of
 * another file system is read, and no FIFO is opened. Paths are relative to the root.
 */
export class ReadOnlyTree {
  readonly #device: number;
  readonly #identity: number | null;

  /** Where its objects are. */
  readonly objects: ObjectLayout;

  constructor(
    readonly root: string,
    format: Format,
    private readonly calls: ReadCalls = fileCalls,
  ) {
    this.objects = ObjectLayout.of(format);
    const identity = calls.lstat(`${root}/${IDENTITY_PATH}`);
    this.#device = identity?.dev ?? NaN;
    this.#identity = identity?.ino ?? null;
  }

  /**
   * To be called after something was looked at, and before anybody hears of it: where a disk was unmounted
   * meanwhile, everything seems to be gone.
   *
   * @throws {StorageLostError} the storage is no longer where it was
   */
  requireThere(): void {
    const path = `${this.root}/${IDENTITY_PATH}`;
    const found = this.calls.lstat(path);
    if (found?.dev === this.#device && found.ino === this.#identity) return;
    throw new StorageLostError(
      `${path} is ${found === null ? "gone" : "another file"}: the disk was unmounted, or the ` +
        "storage replaced; nothing is reported. See that it is mounted",
    );
  }

  /**
   * What has a name, itself and not what a link points to; null if there is nothing.
   *
   * @throws {UnreadableError} a directory above it is no real one, or may not be entered
   */
  look(path: string): Deno.FileInfo | null {
    try {
      return this.#isReal(parentOf(path)) ? this.calls.lstat(`${this.root}/${path}`) : null;
    } catch (error) {
      throw unreadable(error);
    }
  }

  /** The names in a directory, sorted by code units; null if there is none. Errors as `look`. */
  list(path: string): string[] | null {
    try {
      if (!this.#isReal(path)) return null;
      return this.calls.names(`${this.root}/${path}`).sort();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw unreadable(error);
    }
  }

  /**
   * Reads a regular file that `look` has found, piece by piece. A piece is valid until the next is asked
   * for.
   *
   * @throws {UnreadableError} it is another file by now, or the operating system does not give its bytes
   */
  *read(path: string, found: Deno.FileInfo, buffer: Uint8Array): Generator<Uint8Array> {
    let file: Deno.FsFile | null = null;
    try {
      file = this.calls.openRead(`${this.root}/${path}`);
      const { dev, ino } = this.calls.fstat(file);
      if (dev !== found.dev || ino !== found.ino) {
        throw new UnreadableError("was replaced while it was read");
      }
      for (;;) {
        const length = this.calls.read(file, buffer);
        if (length === null) return;
        yield buffer.subarray(0, length);
      }
    } catch (error) {
      throw unreadable(error);
    } finally {
      if (file !== null) this.calls.close(file);
    }
  }

  /** Bytes and inodes in use on the root's file system: an upper bound of what there is to read. */
  used(): { readonly bytes: number; readonly inodes: number } {
    const { blocks, blocksAvailable, blockSize, inodes, inodesFree } = this.calls.statfs(this.root);
    return {
      bytes: (blocks - blocksAvailable) * blockSize,
      inodes: Math.max(0, inodes - inodesFree),
    };
  }

  /** Whether a directory and all above it are there. */
  #isReal(path: string): boolean {
    if (path === "") return true;
    if (!this.#isReal(parentOf(path))) return false;
    const info = this.calls.lstat(`${this.root}/${path}`);
    if (info === null) return false;
    if (!info.isDirectory) throw new UnreadableError(`cannot be reached: ${path} is no directory`);
    if (info.dev !== this.#device) {
      throw new UnreadableError(`cannot be reached: ${path} is on another file system`);
    }
    return true;
  }
}

function unreadable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UnreadableError) return error;
  // A bug, or this program's own sandbox, is no word on the file.
  if (error instanceof TypeError || error instanceof Deno.errors.NotCapable) return error;
  return new UnreadableError(`cannot be read: ${error.message}`, { cause: error });
}
