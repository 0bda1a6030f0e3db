import { messageOf, StorageLostError, type StoragePausedError } from "../errors.ts";
import { isOfFile, pause } from "./failures.ts";
import type { FileCalls, FileSystemSpace } from "./file_calls.ts";
import type { FreeSpace } from "../stored.ts";

/** What a storage never uses: so many bytes, or a share of its bytes and of its inodes. */
export type Reserve = { readonly bytes: number } | { readonly fraction: number };

/**
 * A media may need its object, its owner's directory and its prefix directory: three inodes, and a block
 * each beside its bytes. Mostly it needs one. Reckoning too high only means that the file system is
 * asked (5 µs) a little earlier, near the reserve.
 */
const INODES = 3;

/** Bytes that a media has been promised and not written yet. */
export interface Promised {
  remaining: number;
}

/**
 * Meets a full disk before a file is half written. What `statfs` told last is reckoned down with each
 * media that is taken, and asked again only when it no longer suffices.
 */
export class Space {
  #blockSize = 4096;
  /** Above the reserve, and above nothing: below zero where the reserve is used already. */
  #bytes = 0;
  #inodes = 0;
  #totalBytes = 0;
  #keptBytes = 0;
  #keptInodes = 0;
  /** What is free and what is kept, for people. */
  shown = "";
  readonly #promises = new Set<Promised>();

  constructor(
    private readonly root: string,
    private readonly reserve: Reserve,
    private readonly calls: FileCalls,
  ) {
    this.look();
  }

  /**
   * Asks the file system anew.
   *
   * @throws {StorageLostError} it does not answer
   */
  look(): FreeSpace {
    const found = this.#statfs();
    const totalBytes = found.blocks * found.blockSize;
    const bytes = found.blocksAvailable * found.blockSize;
    const inodes = found.inodesFree;
    let promised = 0;
    for (const { remaining } of this.#promises) promised += this.#onDisk(remaining);
    const fraction = "fraction" in this.reserve ? this.reserve.fraction : 0;
    const keptBytes = "bytes" in this.reserve ? this.reserve.bytes : totalBytes * fraction;
    const keptInodes = found.inodes * fraction;
    this.#totalBytes = totalBytes;
    this.#keptBytes = keptBytes;
    this.#keptInodes = keptInodes;
    this.#blockSize = found.blockSize;
    this.#bytes = bytes - keptBytes - promised;
    // btrfs and FAT have no number of inodes to run out of.
    this.#inodes = found.inodes === 0 ? Infinity : inodes - keptInodes;
    this.shown =
      `${show(bytes)} and ${found.inodes === 0 ? "any number of" : inodes} inodes are free, ` +
      `${show(keptBytes)} and ${Math.ceil(keptInodes)} inodes are kept in reserve`;
    return { bytes, totalBytes, inodes, totalInodes: found.inodes };
  }

  /** Whether a media of that many bytes would fit above the reserve. */
  fits(size: number): boolean {
    return this.#onDisk(size) <= this.#bytes && INODES <= this.#inodes;
  }

  /** Whether it would fit if there were nothing else. A pause for what never will would never end. */
  couldEverFit(size: number): boolean {
    return this.#onDisk(size) <= this.#totalBytes - this.#keptBytes;
  }

  /**
   * Reckons with a media that is written now.
   *
   * @throws {StoragePausedError} it would reach into the reserve
   */
  take(size: number): void {
    if (!this.fits(size)) {
      this.look();
      if (!this.fits(size)) throw this.#pause(size);
    }
    this.#bytes -= this.#onDisk(size);
    this.#inodes -= INODES;
  }

  /** Keeps in mind that a media, taken already, comes bit by bit; to be given to `release` in the end. */
  promise(size: number): Promised {
    const promised = { remaining: size };
    this.#promises.add(promised);
    return promised;
  }

  release(promised: Promised): void {
    this.#promises.delete(promised);
  }

  #statfs(): FileSystemSpace {
    try {
      return this.calls.statfs(this.root);
    } catch (error) {
      if (!isOfFile(error)) throw error;
      throw new StorageLostError(
        `Cannot ask how much space is free at ${this.root}: ${
          messageOf(error)
        }; see dmesg, and mount its disk again`,
        { cause: error },
      );
    }
  }

  #onDisk(size: number): number {
    return (Math.ceil(size / this.#blockSize) + INODES) * this.#blockSize;
  }

  #pause(size: number): StoragePausedError {
    // What would not fit even into the reserve is no matter of --reserve.
    const reason = INODES > this.#inodes + this.#keptInodes
      ? "no inodes"
      : this.#onDisk(size) > this.#bytes + this.#keptBytes
      ? "no space"
      : "reserve";
    return pause(reason, `${this.root} has no room for a media of ${show(size)}: ${this.shown}`);
  }
}

function show(bytes: number): string {
  const unit = [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const;
  const [name, factor] = unit.find(([, factor]) => bytes >= factor) ?? ["bytes", 1];
  return `${Number((bytes / factor).toFixed(1))} ${name}`;
}
