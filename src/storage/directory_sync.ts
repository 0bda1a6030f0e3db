import { MediaFailureError, StorageLostError } from "../errors.ts";
import type { Media } from "../media.ts";
import { DirectoryError, type DirectoryHandle } from "./directories.ts";
import { changeFailureIn, fsyncFailure } from "./failures.ts";
import { isSkeleton, publicDirectory, withAncestors } from "./layout.ts";
import type { Store } from "./store.ts";

/** The fsyncs that make the names of a batch durable. */
export class DirectorySync {
  readonly #store: Store;
  /** Directories that could not be opened, with the reason. */
  readonly #failed = new Map<string, unknown>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Fsyncs every directory in which these media have a name, each once, side by side. */
  async run(media: readonly Media[]): Promise<void> {
    const paths = new Set(media.flatMap((each) => this.#directoriesOf(each)));
    const unsynced = [...paths].filter((path) => !this.#store.directories.isSynced(path));
    await Promise.all(unsynced.map((path) => this.#sync(path)));
  }

  /**
   * What keeps a media from being durable, if it is one of the directories that could not be opened.
   *
   * @throws what concerns the whole storage
   */
  failureOf(media: Media): MediaFailureError | null {
    if (this.#failed.size === 0) return null;
    const path = this.#directoriesOf(media).find((each) => this.#failed.has(each));
    if (path === undefined) return null;
    const error = this.#failed.get(path);
    if (error instanceof DirectoryError || error instanceof Deno.errors.NotFound) {
      if (!isSkeleton(path)) return new MediaFailureError(media.id, error.message);
      throw this.#store.note(new StorageLostError(error.message, { cause: error }));
    }
    const action = `open ${path} for its fsync`;
    const failure = this.#store.note(changeFailureIn(path, error, action, media.id));
    if (failure instanceof MediaFailureError) return failure;
    throw failure;
  }

  /** The object's directory, the public name's, and all above them. */
  #directoriesOf(media: Media): string[] {
    const { objects, identity: { prefixSize } } = this.#store;
    return [objects.directoryOf(media.sha256), publicDirectory(media, prefixSize)]
      .flatMap(withAncestors);
  }

  async #sync(path: string): Promise<void> {
    const { directories, calls, slots } = this.#store;
    if (!slots.tryTake()) await slots.take();
    try {
      let handle: DirectoryHandle;
      try {
        handle = await directories.open(path);
      } catch (error) {
        this.#failed.set(path, error);
        return;
      }
      try {
        await calls.sync(handle.file);
        handle.synced();
      } catch (error) {
        this.#store.note(fsyncFailure(error, directories.absolute(path)));
      } finally {
        calls.close(handle.file);
      }
    } finally {
      slots.give();
    }
  }
}
