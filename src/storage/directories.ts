import type { AwaitableCalls } from "./file_calls.ts";
import { parentOf } from "./layout.ts";

/** A directory is not what it must be: a link, another kind of file, on another device, or replaced. */
export class DirectoryError extends Error {
  override readonly name = "DirectoryError";
}

interface Known {
  readonly dev: number;
  readonly ino: number;
  /** Entries that this process made in it. */
  entries: number;
  /** How many of those were there when the last fsync that succeeded began; -1 before the first. */
  synced: number;
}

/**
 * A quarter of an hour's worth of new directories at full speed; 10 MB. One that is forgotten is
 * fsynced once more when it is needed again, and nothing else.
 */
const MOST_KNOWN = 50_000;

/**
 * The directories of one root: real ones, on one device, fsynced as often as needed and not more.
 *
 * Paths are relative to the root; "" is the root. What is remembered of a directory belongs to its
 * inode, so one that was replaced counts as never fsynced; and a fsync goes through a handle whose inode
 * is compared, so it can't be led elsewhere by a link put in between.
 */
export class Directories {
  readonly #known = new Map<string, Known>();

  constructor(
    private readonly root: string,
    /** Directories are compared with a directory's device: overlayfs gives files another. */
    private readonly device: number,
    private readonly calls: AwaitableCalls,
    private readonly mostKnown = MOST_KNOWN,
  ) {}

  /**
   * Checks whether a directory is there, as a real one on the right device.
   *
   * @returns null if there is nothing of that name
   * @throws {DirectoryError} if it is anything else
   */
  async verify(path: string): Promise<Deno.FileInfo | null> {
    const found = await this.calls.lstat(this.absolute(path));
    if (found === null) return null;
    if (!found.isDirectory) {
      const what = found.isSymlink ? "a symbolic link" : "no directory";
      throw new DirectoryError(`${this.absolute(path)} is ${what}; move it away`);
    }
    if (found.dev !== this.device) {
      throw new DirectoryError(`${this.absolute(path)} is on another file system; unmount that`);
    }
    this.#remember(path, found.dev, found.ino ?? 0);
    return found;
  }

  /** Makes a directory that `verify` did not find. */
  async make(path: string, parent: string, mode: number): Promise<void> {
    await this.calls.mkdir(this.absolute(path), mode);
    this.entryMade(parent);
  }

  /**
   * To be called after each entry that was made in a directory, never before, and for each that was found and
   * is relied on: another process (`storage sync`, a worker that died) may have made it since the last fsync.
   */
  entryMade(path: string): void {
    const known = this.#known.get(path);
    // One that was forgotten counts as never fsynced already.
    if (known !== undefined) known.entries += 1;
  }

  /** Whether every entry that exists in it by now survives a power cut. */
  isSynced(path: string): boolean {
    const known = this.#known.get(path);
    return known !== undefined && known.synced >= known.entries;
  }

  /**
   * Opens a directory for its fsync.
   *
   * @throws {DirectoryError} it is not the one in which the entries were made
   */
  async open(path: string): Promise<DirectoryHandle> {
    if (!this.#known.has(path) && await this.verify(path) === null) throw this.#replaced(path);
    const known = this.#known.get(path);
    // Forgotten in the same moment, which takes tens of thousands of others.
    if (known === undefined) return await this.open(path);
    const file = await this.calls.openRead(this.absolute(path));
    try {
      const { dev, ino } = await this.calls.fstat(file);
      if (dev !== known.dev || ino !== known.ino) throw this.#replaced(path);
    } catch (error) {
      this.calls.close(file);
      throw error;
    }
    const through = known.entries;
    return { file, synced: () => known.synced = Math.max(known.synced, through) };
  }

  absolute(path: string): string {
    return path === "" ? this.root : `${this.root}/${path}`;
  }

  #remember(path: string, dev: number, ino: number): void {
    const known = this.#known.get(path);
    if (known !== undefined && known.dev === dev && known.ino === ino) return;
    this.#known.delete(path);
    this.#known.set(path, { dev, ino, entries: 0, synced: -1 });
    // Whoever made it may not have fsynced its parent.
    if (path !== "") this.entryMade(parentOf(path));
    if (this.#known.size > this.mostKnown) this.#forgetOldest();
  }

  /** Never one with entries that are not synced yet: its inode is what the fsync will be compared with. */
  #forgetOldest(): void {
    for (const [path, known] of this.#known) {
      if (known.entries > Math.max(known.synced, 0)) continue;
      this.#known.delete(path);
      return;
    }
  }

  #replaced(path: string): DirectoryError {
    return new DirectoryError(
      `${this.absolute(path)} was replaced while entries were made in it; put the real one back`,
    );
  }
}

export interface DirectoryHandle {
  readonly file: Deno.FsFile;
  /** To be called once its fsync has succeeded: all entries made before `open` are durable. */
  readonly synced: () => void;
}
