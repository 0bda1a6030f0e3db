import { ConfigurationError, MediaFailureError, messageOf, StorageLostError } from "../errors.ts";
import type { Media } from "../media.ts";
import { DirectoryError } from "./directories.ts";
import { changeFailureIn, isOfFile, readFailure, refusal } from "./failures.ts";
import {
  isSkeleton,
  ownerDirectory,
  parentOf,
  PUBLIC_DIRECTORY_MODE,
  publicDirectory,
} from "./layout.ts";
import type { Store } from "./store.ts";

/**
 * The directories that a batch works in, each checked once: checking all of a media's directories for
 * every media would take a tenth of the time. They are checked again right before the links, and each
 * fsync compares inodes. So a directory that is replaced by a link in between can cost an orphan or a
 * stray name, never a receipt for what is not there.
 */
export class Tree {
  readonly #store: Store;
  /** Relative to the root. */
  readonly #verified = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** To be called after waiting for anything: whatever was checked may have been replaced meanwhile. */
  forget(): void {
    this.#verified.clear();
  }

  /**
   * Requires a directory that `storage init` made, and its ancestors: without it there is no storage.
   *
   * @throws {StorageLostError}
   */
  async requireSkeleton(path: string): Promise<void> {
    if (this.#verified.has(path)) return;
    if (path.includes("/")) await this.requireSkeleton(parentOf(path));
    const { directories, root } = this.#store;
    let found: Deno.FileInfo | null;
    try {
      found = await directories.verify(path);
    } catch (error) {
      if (!(error instanceof DirectoryError) && !isOfFile(error)) throw error;
      throw this.#store.note(
        refusal(error, `read the directory ${path}`) ??
          new StorageLostError(`The storage is not whole: ${messageOf(error)}`, { cause: error }),
      );
    }
    if (found === null) {
      throw this.#store.note(
        new StorageLostError(
          `The storage is not whole: ${root}/${path} is missing; mount its disk, or run ` +
            "`storage init` again with the same name and root",
        ),
      );
    }
    this.#verified.add(path);
  }

  /** Makes the directories that a media's public name needs, if they are missing. */
  async makeFor(media: Media): Promise<void> {
    const [owner, prefix] = this.#directoriesOf(media);
    if (this.#verified.has(prefix)) return;
    await this.requireSkeleton(media.mediaType);
    await this.#make(owner, media.id);
    await this.#make(prefix, media.id);
  }

  /** As `makeFor`, but makes nothing: they must be there, and real. */
  async requireFor(media: Media): Promise<void> {
    const [owner, prefix] = this.#directoriesOf(media);
    if (this.#verified.has(prefix)) return;
    await this.requireSkeleton(media.mediaType);
    for (const path of [owner, prefix]) {
      if (this.#verified.has(path)) continue;
      if (await this.#verify(path, media.id) === null) throw vanished(media.id, path);
      this.#verified.add(path);
    }
  }

  #directoriesOf(media: Media): [owner: string, prefix: string] {
    return [ownerDirectory(media), publicDirectory(media, this.#store.identity.prefixSize)];
  }

  async #make(path: string, mediaId: bigint): Promise<void> {
    if (this.#verified.has(path)) return;
    const found = await this.#verify(path, mediaId);
    if (found === null) {
      const isMine = await this.#mkdir(path, mediaId);
      const made = await this.#verify(path, mediaId);
      if (made === null) throw vanished(mediaId, path);
      if (isMine) this.#requireMode(path, made.mode ?? 0);
      else this.#requireOpen(path, made, mediaId);
    } else {
      this.#requireOpen(path, found, mediaId);
    }
    this.#verified.add(path);
  }

  /** False if another process has made something of that name since it was checked. */
  async #mkdir(path: string, mediaId: bigint): Promise<boolean> {
    const parent = parentOf(path);
    try {
      await this.#store.directories.make(path, parent, PUBLIC_DIRECTORY_MODE);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return false;
      // Its parent was there a moment ago: perhaps the disk has gone.
      if (error instanceof Deno.errors.NotFound) await this.#store.requireIdentity();
      throw this.#store.note(
        changeFailureIn(parent, error, `make the directory ${path}`, mediaId),
      );
    }
  }

  /** The umask would take from every other directory and file what it took from this one. */
  #requireMode(path: string, mode: number): void {
    if ((mode & PUBLIC_DIRECTORY_MODE) === PUBLIC_DIRECTORY_MODE) return;
    const [made, needed] = [mode & 0o777, PUBLIC_DIRECTORY_MODE].map((bits) => bits.toString(8));
    throw this.#store.note(
      new ConfigurationError(
        `${this.#store.root}/${path} was made with mode ${made}, readers need ${needed}: ` +
          "start the worker with a umask of 0027, and fix that mode",
      ),
    );
  }

  /**
   * A directory that was there already, such as one left by a worker that ended over its umask. No reader would
   * ever see what is stored below it, and nobody would hear of that; so its media wait, with the reason.
   */
  #requireOpen(path: string, { mode }: Deno.FileInfo, mediaId: bigint): void {
    const bits = mode ?? 0;
    if ((bits & PUBLIC_DIRECTORY_MODE) === PUBLIC_DIRECTORY_MODE) return;
    throw new MediaFailureError(
      mediaId,
      `the directory ${path} has mode ${(bits & 0o777).toString(8)}, readers need ` +
        `${PUBLIC_DIRECTORY_MODE.toString(8)}: chmod it, and start workers with a umask of 0027`,
    );
  }

  /** Of a directory below the skeleton: what is wrong with it is only this media's trouble. */
  async #verify(path: string, mediaId: bigint): Promise<Deno.FileInfo | null> {
    try {
      return await this.#store.directories.verify(path);
    } catch (error) {
      if (error instanceof DirectoryError) throw new MediaFailureError(mediaId, error.message);
      const action = `read the directory ${path}`;
      // Seeing an owner's directory takes a right on the one that `storage init` made.
      const refused = isSkeleton(parentOf(path)) ? refusal(error, action) : null;
      if (refused !== null) throw this.#store.note(refused);
      throw readFailure(error, action, mediaId);
    }
  }
}

/** A name or directory was there a moment ago. */
export function vanished(mediaId: bigint, path: string): MediaFailureError {
  return new MediaFailureError(mediaId, `${path} vanished while this media was being stored`);
}
