import {
  ConfigurationError,
  StorageDistrustedError,
  StorageLostError,
  StoragePausedError,
} from "../errors.ts";
import { Batch } from "./batch.ts";
import type { Directories } from "./directories.ts";
import { examine } from "./existing.ts";
import { changeFailure, isOfFile, pause } from "./failures.ts";
import { type FileCalls, osCode } from "./file_calls.ts";
import { readIdentity, sameIdentity } from "./identity.ts";
import { IDENTITY_PATH, PRIVATE_DIRECTORY, PROBE_DIRECTORY } from "./layout.ts";
import type { Media } from "../media.ts";
import type { Slots } from "./slots.ts";
import type { Space } from "./space.ts";
import type { FreeSpace, StorageIdentity, StoreBatch, WriteOnceStorage } from "./storage.ts";

/** An object that is whole and fdatasynced, and could not be given its public name. */
export interface Unlinked {
  readonly sha256: string;
  /** Relative to the root. */
  readonly path: string;
}

/** 3 MB. One that is forgotten costs a leftover, if its media ever comes again. */
const MOST_UNLINKED = 10_000;

export interface StoreParts {
  readonly root: string;
  readonly identity: StorageIdentity;
  readonly calls: FileCalls;
  readonly directories: Directories;
  readonly space: Space;
  readonly slots: Slots;
  /** storage.json, open and locked. */
  readonly lock: Deno.FsFile;
}

/**
 * How much is appended to the file that a pause left, to see whether the disk takes a media again: as
 * much as the media has, up to this. A block would not do: on a full ext4 one comes free now and then,
 * and each time the next media left another file.
 */
const MOST_APPENDED = 1024 * 1024;

/** An open, locked storage. `openStorage` makes it. */
export class Store implements WriteOnceStorage {
  readonly identity: StorageIdentity;
  readonly root: string;
  readonly calls: FileCalls;
  readonly directories: Directories;
  readonly space: Space;
  readonly slots: Slots;
  /** The device of every file in this storage. */
  readonly device: number;
  readonly #lock: Deno.FsFile;
  readonly #lockInode: number;
  #ended: Error | null = null;
  #pause: StoragePausedError | null = null;
  #leftover: Deno.FsFile | null = null;
  readonly #unlinked = new Map<bigint, Unlinked>();

  constructor(parts: StoreParts) {
    this.root = parts.root;
    this.identity = parts.identity;
    this.calls = parts.calls;
    this.directories = parts.directories;
    this.space = parts.space;
    this.slots = parts.slots;
    this.#lock = parts.lock;
    const { dev, ino } = this.calls.fstat(parts.lock);
    this.device = dev;
    this.#lockInode = ino ?? 0;
  }

  // deno-lint-ignore require-await -- an error is a rejection, whenever it is met
  async beginBatch(): Promise<StoreBatch> {
    this.requireIdentity();
    this.#look();
    return new Batch(this);
  }

  // deno-lint-ignore require-await -- as above
  async freeSpace(): Promise<FreeSpace> {
    this.requireSound();
    return this.#look();
  }

  // deno-lint-ignore require-await -- as above
  async wouldAccept(size: number): Promise<boolean> {
    this.requireIdentity();
    this.#look();
    if (!this.space.fits(size) || this.#isReadOnly() || !this.#leftoverGrows(size)) return false;
    if (this.#leftover !== null) this.calls.close(this.#leftover);
    this.#leftover = null;
    this.#pause = null;
    return true;
  }

  close(): void {
    if (this.#leftover !== null) this.calls.close(this.#leftover);
    this.#leftover = null;
    if (this.#ended instanceof StoreClosedError) return;
    this.#ended = new StoreClosedError("the storage was closed");
    this.calls.close(this.#lock);
  }

  /** Throws what ended this storage, if anything did. */
  requireSound(): void {
    if (this.#ended !== null) throw this.#ended;
  }

  /** Throws the pause, if one stands. Each try during one would leave another file. */
  requireUnpaused(): void {
    if (this.#pause !== null) throw this.#pause;
  }

  /**
   * Reads the identity again. Its inode counts too: a copy of storage.json would be free for another
   * worker to lock.
   *
   * @throws {StorageLostError}
   */
  requireIdentity(): void {
    this.requireSound();
    const path = `${this.root}/${IDENTITY_PATH}`;
    try {
      const found = this.calls.lstat(path);
      const identity = readIdentity(this.root, this.calls);
      if (found?.dev !== this.device || found.ino !== this.#lockInode) {
        throw new StorageLostError(
          `${path} was replaced while the worker was running; see what is mounted there, and start anew`,
        );
      }
      if (!sameIdentity(identity, this.identity)) {
        throw new StorageLostError(`${path} was changed while the worker was running; restore it`);
      }
    } catch (error) {
      const isEnd = error instanceof ConfigurationError || isOfFile(error);
      throw this.note(
        isEnd ? new StorageLostError((error as Error).message, { cause: error }) : error,
      );
    }
  }

  /** Keeps in mind what an error means for the storage as a whole; returns it. */
  note(error: unknown): unknown {
    if (error instanceof StoragePausedError) {
      return this.#pause ??= this.#withInodes(error);
    }
    const isEnd = error instanceof StorageDistrustedError || error instanceof StorageLostError ||
      error instanceof ConfigurationError;
    if (isEnd) this.#ended ??= error;
    return error;
  }

  /** As `note`, for an error that came of changing the file system. */
  noteChange(error: unknown, deed: string, mediaId: bigint): unknown {
    return this.note(changeFailure(error, deed, mediaId));
  }

  #look(): FreeSpace {
    try {
      return this.space.look();
    } catch (error) {
      throw this.note(error);
    }
  }

  /**
   * Keeps the file open whose writing met the end of the disk. It will never be published; appending to
   * it is how `wouldAccept` finds out whether the disk takes bytes again without leaving another file.
   */
  keepLeftover(file: Deno.FsFile): void {
    if (this.#leftover === null) this.#leftover = file;
    else this.calls.close(file);
  }

  /**
   * Remembers an object that could not be linked (the disk was full or read-only, or another file has
   * its name), to be taken up when its media comes again: without it a pause would leave a whole batch
   * of leftovers, and each retry one. No contradiction to "never reuse an object that exists": this
   * process has itself seen it written and synced without an error.
   */
  rememberUnlinked(mediaId: bigint, object: Unlinked): void {
    this.#unlinked.set(mediaId, object);
    if (this.#unlinked.size <= MOST_UNLINKED) return;
    const [oldest] = this.#unlinked.keys();
    if (oldest !== undefined) this.#unlinked.delete(oldest);
  }

  /** Nearly always false, and then there is nothing to wait for. */
  get hasUnlinked(): boolean {
    return this.#unlinked.size > 0;
  }

  /**
   * The object of this media that only lacks its public name, or null. Read once more: hours may have
   * passed, and nothing has held it since.
   */
  async takeUnlinked(media: Media): Promise<string | null> {
    const object = this.#unlinked.get(media.id);
    if (object === undefined) return null;
    this.#unlinked.delete(media.id);
    if (object.sha256 !== media.sha256) return null;
    const there = await examine(`${this.root}/${object.path}`, media, this.calls);
    return there === "same bytes" ? object.path : null;
  }

  /** Whether the file that the pause left, if it left one, can be appended to by so many bytes. */
  #leftoverGrows(size: number): boolean {
    if (this.#leftover === null) return true;
    const zeros = new Uint8Array(Math.min(Math.max(size, 1), MOST_APPENDED));
    try {
      for (let at = 0; at < zeros.length;) {
        const count = this.calls.write(this.#leftover, zeros.subarray(at));
        if (count <= 0) return false;
        at += count;
      }
      return true;
    } catch (error) {
      const failure = changeFailure(error, "append to the leftover of a pause", 0n);
      if (failure instanceof StoragePausedError) return false;
      throw this.note(failure);
    }
  }

  /**
   * Asks the kernel without changing anything: a hard link to a directory is never allowed, and a
   * read-only file system is complained about before that.
   */
  #isReadOnly(): boolean {
    try {
      this.calls.link(`${this.root}/${PRIVATE_DIRECTORY}`, `${this.root}/${PROBE_DIRECTORY}-never`);
    } catch (error) {
      return osCode(error) === "EROFS";
    }
    return false;
  }

  #withInodes(error: StoragePausedError): StoragePausedError {
    if (error.reason !== "no space") return error;
    try {
      const { inodes, totalInodes } = this.space.look();
      if (totalInodes === 0 || inodes > 0) return error;
    } catch {
      return error;
    }
    return pause("no inodes", error.message.replace(/;[^;]*$/, ""), error.cause);
  }
}

class StoreClosedError extends Error {
  override readonly name = "StoreClosedError";
}
