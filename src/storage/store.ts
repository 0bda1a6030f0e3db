import {
  cannot,
  ConfigurationError,
  StorageDistrustedError,
  StorageHeldError,
  StorageLostError,
  StoragePausedError,
} from "../errors.ts";
import type { FreeSpace } from "../stored.ts";
import type { Directories } from "./directories.ts";
import { changeFailure, isOfFile } from "./failures.ts";
import type { AwaitableCalls } from "./file_calls.ts";
import { awaitIdentity, sameIdentity } from "./identity.ts";
import { IDENTITY_PATH, ObjectLayout } from "./layout.ts";
import { StandingPause } from "./pause.ts";
import type { Slots } from "./slots.ts";
import type { Space } from "./space.ts";
import type { StorageIdentity } from "./storage.ts";
import { UnlinkedObjects } from "./unlinked_objects.ts";

export interface StoreParts {
  readonly root: string;
  readonly identity: StorageIdentity;
  readonly calls: AwaitableCalls;
  readonly directories: Directories;
  readonly space: Space;
  readonly slots: Slots;
  /** storage.json, open. */
  readonly identityFile: Deno.FsFile;
  /** It is reached over a network. */
  readonly isRemote: boolean;
  /** That file, as `fstat` shows it. */
  readonly identityInfo: Pick<Deno.FileInfo, "dev" | "ino">;
}

/**
 * What all batches of one open storage share: its parts, whether it is sound, whether it is still itself,
 * and what the errors that were met mean for all of it. It starts nothing.
 */
export class Store {
  readonly identity: StorageIdentity;
  /** Where its objects are. */
  readonly objects: ObjectLayout;
  readonly root: string;
  readonly isRemote: boolean;
  readonly calls: AwaitableCalls;
  readonly directories: Directories;
  readonly space: Space;
  readonly slots: Slots;
  readonly pause: StandingPause;
  readonly unlinked: UnlinkedObjects;
  /** The device of every file in this storage. */
  readonly device: number;
  readonly #identityFile: Deno.FsFile;
  readonly #identityInode: number;
  #ended: Error | null = null;

  constructor(parts: StoreParts) {
    this.root = parts.root;
    this.identity = parts.identity;
    this.objects = ObjectLayout.of(parts.identity.format);
    this.isRemote = parts.isRemote;
    this.calls = parts.calls;
    this.directories = parts.directories;
    this.space = parts.space;
    this.slots = parts.slots;
    this.pause = new StandingPause(this.root, this.space, this.calls);
    this.unlinked = new UnlinkedObjects(this.root, this.calls);
    this.#identityFile = parts.identityFile;
    this.device = parts.identityInfo.dev;
    this.#identityInode = parts.identityInfo.ino ?? 0;
  }

  /** See `WriteOnceStorage`. */
  async hold(alone: boolean): Promise<void> {
    const path = `${this.root}/${IDENTITY_PATH}`;
    let locked: boolean;
    try {
      locked = await this.calls.tryLock(this.#identityFile, alone);
    } catch (error) {
      throw new ConfigurationError(
        cannot(`lock ${path}`, error, "use a file system that has flock, such as ext4 or XFS"),
        { cause: error },
      );
    }
    if (!locked) throw new StorageHeldError(`Another process holds the storage at ${this.root}`);
    this.space.isShared = !alone;
    // What was locked is what has the name by now, and who it says it is has not changed before the lock.
    await this.requireIdentity();
  }

  async letGo(): Promise<void> {
    // One that is over goes with the process; asking a disk that has gone would only fail once more.
    if (this.#ended === null) await this.calls.unlock(this.#identityFile);
  }

  close(): void {
    this.pause.end();
    if (this.#ended instanceof StoreClosedError) return;
    this.#ended = new StoreClosedError("the storage was closed");
    this.calls.close(this.#identityFile);
  }

  /** Throws what ended this storage, if anything did. */
  requireSound(): void {
    if (this.#ended !== null) throw this.#ended;
  }

  /**
   * Reads the identity again. Its inode counts too: a copy of storage.json would be free for another
   * worker to lock.
   *
   * @throws {StorageLostError}
   */
  async requireIdentity(): Promise<void> {
    this.requireSound();
    const path = `${this.root}/${IDENTITY_PATH}`;
    try {
      const found = await this.calls.lstat(path);
      const identity = await awaitIdentity(this.root, this.calls);
      if (found?.dev !== this.device || found.ino !== this.#identityInode) {
        throw new StorageLostError(
          `${path} was replaced while the worker was running; see what is mounted there, and start again`,
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

  /** @throws {StorageLostError} the file system does not answer */
  async measureSpace(): Promise<FreeSpace> {
    return await this.noting(() => this.space.measure());
  }

  /** Keeps in mind what an error means for the storage as a whole; returns what is to be thrown. */
  note(error: unknown): unknown {
    if (error instanceof StoragePausedError) return this.pause.begin(error);
    const isEnd = error instanceof StorageDistrustedError || error instanceof StorageLostError ||
      error instanceof ConfigurationError;
    if (isEnd) this.#ended ??= error;
    return error;
  }

  /** As `note`, for an error that came of changing the file system. */
  noteChange(error: unknown, action: string, mediaId: bigint): unknown {
    return this.note(changeFailure(error, action, mediaId));
  }

  /** Notes whatever `act` throws. */
  async noting<T>(act: () => T | Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw this.note(error);
    }
  }
}

class StoreClosedError extends Error {
  override readonly name = "StoreClosedError";
}
