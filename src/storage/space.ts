import { cannot, StorageLostError, type StoragePausedError } from "../errors.ts";
import type { FreeSpace } from "../stored.ts";
import { showBytes } from "../units.ts";
import { isOfFile, pausedError } from "./failures.ts";
import type { AwaitableCalls, FileSystemSpace } from "./file_calls.ts";

/** What a storage never uses: a number of bytes, or a share of its bytes and of its inodes. */
export type Reserve = { readonly bytes: number } | { readonly fraction: number };

export const DEFAULT_RESERVE: Reserve = { fraction: 0.05 };

/**
 * A media may need its object, its owner's directory and its prefix directory: three inodes, and a block
 * each beside its bytes. Mostly it needs one. Counting too many only means that the file system is
 * asked (5 µs) a little earlier, near the reserve.
 */
const INODES = 3;

/**
 * With so much left, or less, a worker that has company asks the file system before each media: since its last
 * look eight others may have written three batches of 32 MiB and 1,024 files each.
 */
const SHARED_BYTES = 8 * 3 * 32 * 1024 * 1024;
const SHARED_INODES = 8 * 3 * 1024 * INODES;

/** Bytes that are set aside for a media that comes piece by piece, and are not written yet. */
export class Reservation {
  #bytes: number;
  readonly #all: Set<Reservation>;

  constructor(bytes: number, all: Set<Reservation>) {
    this.#bytes = bytes;
    this.#all = all;
    all.add(this);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** These have been written: the file system itself counts them from now on. */
  use(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** To be called in the end, whether the media became whole or not. */
  end(): void {
    this.#all.delete(this);
  }
}

/**
 * Meets a full disk before a file is half written. From what `statfs` said last, each media that is taken
 * is subtracted, and it is asked again only when the rest no longer suffices. Before it was asked for the
 * first time, nothing fits.
 */
export class Space {
  #blockSize = 4096;
  /** Free above the reserve; below zero if the reserve is in use already. */
  #bytes = 0;
  #inodes = 0;
  #totalBytes = 0;
  #keptBytes = 0;
  #keptInodes = 0;
  /** What is free and what is kept, for people. */
  shown = "";
  readonly #reservations = new Set<Reservation>();
  /**
   * Whether other workers write there too. What they have set aside for media that come piece by piece is not
   * seen: an eighth of what is free for each would refuse what fits, and asking each other would take longer
   * than a media. That is what the reserve is for; beyond it, a disk that is really full pauses the storage.
   */
  isShared = false;

  constructor(
    private readonly root: string,
    private readonly unused: Reserve,
    private readonly calls: Pick<AwaitableCalls, "statfs">,
  ) {}

  /**
   * Asks the file system again.
   *
   * @throws {StorageLostError} it does not answer
   */
  measure(): FreeSpace | Promise<FreeSpace> {
    return whenThere(this.#statfs(), (found) => this.#update(found));
  }

  #update(found: FileSystemSpace): FreeSpace {
    const totalBytes = found.blocks * found.blockSize;
    const bytes = found.blocksAvailable * found.blockSize;
    const inodes = found.inodesFree;
    let reserved = 0;
    for (const { bytes } of this.#reservations) reserved += this.#onDisk(bytes);
    const fraction = "fraction" in this.unused ? this.unused.fraction : 0;
    const keptBytes = "bytes" in this.unused ? this.unused.bytes : totalBytes * fraction;
    const keptInodes = found.inodes * fraction;
    this.#totalBytes = totalBytes;
    this.#keptBytes = keptBytes;
    this.#keptInodes = keptInodes;
    this.#blockSize = found.blockSize;
    this.#bytes = bytes - keptBytes - reserved;
    // btrfs, FAT and CephFS have no number of inodes to run out of.
    this.#inodes = found.inodes === 0 ? Infinity : inodes - keptInodes;
    this.shown =
      `${showBytes(bytes)} and ${found.inodes === 0 ? "any number of" : inodes} inodes are free, ` +
      `${showBytes(keptBytes)} and ${Math.ceil(keptInodes)} inodes are kept in reserve`;
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
   * Subtracts a media that is written now.
   *
   * @throws {StoragePausedError} it would reach into the reserve
   */
  take(size: number): void | Promise<void> {
    if (this.fits(size) && !(this.isShared && this.#isNearlyUsed())) return this.#subtract(size);
    return whenThere(this.measure(), () => {
      if (!this.fits(size)) throw this.#pause(size);
      this.#subtract(size);
    });
  }

  #subtract(size: number): void {
    this.#bytes -= this.#onDisk(size);
    this.#inodes -= INODES;
  }

  /** Sets aside the bytes of a media, taken already, that comes piece by piece. */
  reserve(bytes: number): Reservation {
    return new Reservation(bytes, this.#reservations);
  }

  #isNearlyUsed(): boolean {
    return this.#bytes < SHARED_BYTES || this.#inodes < SHARED_INODES;
  }

  #statfs(): FileSystemSpace | Promise<FileSystemSpace> {
    const failed = (error: unknown): never => {
      if (!isOfFile(error)) throw error;
      throw new StorageLostError(
        cannot(
          `ask how much space is free at ${this.root}`,
          error,
          "see dmesg, and mount its disk again",
        ),
        { cause: error },
      );
    };
    try {
      const found = this.calls.statfs(this.root);
      return found instanceof Promise ? found.catch(failed) : found;
    } catch (error) {
      return failed(error);
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
    return pausedError(
      reason,
      `${this.root} has no room for a media of ${showBytes(size)}: ${this.shown}`,
    );
  }
}

/** Goes on with what is there already at once: a local disk is asked without giving up the event loop. */
function whenThere<From, To>(
  value: From | Promise<From>,
  then: (value: From) => To,
): To | Promise<To> {
  return value instanceof Promise ? value.then(then) : then(value);
}
