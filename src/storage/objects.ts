import { ConfigurationError, MediaFailureError, StorageLostError } from "../errors.ts";
import type { Media } from "../media.ts";
import { changeFailureIn } from "./failures.ts";
import { MAX_OBJECT_NAMES, OBJECT_MODE } from "./layout.ts";
import type { Named, Names } from "./names.ts";
import { NewObject } from "./new_object.ts";
import type { Store } from "./store.ts";
import { type Tree, vanished } from "./tree.ts";

/** The objects of media: creating them, and finding what earlier attempts have left. */
export class Objects {
  readonly #store: Store;
  readonly #tree: Tree;
  readonly #names: Names;

  constructor(store: Store, tree: Tree, names: Names) {
    this.#store = store;
    this.#tree = tree;
    this.#names = names;
  }

  /**
   * Creates a media's object, empty, under a name that did not exist: one that does is left by an attempt
   * that died, or anything else, and is never touched. But such an attempt may have got as far as the
   * public name; then there is nothing to write.
   *
   * @throws {MediaFailureError} too many attempts have left theirs
   */
  async createFor(media: Media): Promise<NewObject | Named> {
    await this.#tree.requireSkeleton(this.#store.objects.directoryOf(media.sha256));
    for (let attempt = 1; attempt <= MAX_OBJECT_NAMES; attempt++) {
      const object = await this.#tryCreate(media, this.#store.objects.pathOf(media, attempt));
      if (object !== null) return object;
      const named = attempt === 1 ? await this.#findLinked(media) : null;
      if (named !== null) return named;
    }
    throw new MediaFailureError(
      media.id,
      `${MAX_OBJECT_NAMES} attempts to store this media have left ${
        this.#store.objects.pathOf(media)
      } and its ` +
        "like; find out what ended them, then remove them with `storage sweep`",
    );
  }

  /** The name of a media that an earlier attempt has stored; null if none got that far. */
  async findNamed(media: Media): Promise<Named | null> {
    const { root, calls } = this.#store;
    const directory = this.#store.objects.directoryOf(media.sha256);
    await this.#tree.requireSkeleton(directory);
    const path = this.#store.objects.pathOf(media);
    try {
      if (await calls.lstat(`${root}/${path}`) === null) return null;
    } catch (error) {
      throw this.#store.note(changeFailureIn(directory, error, `read ${path}`, media.id));
    }
    await this.#tree.makeFor(media);
    return await this.#findLinked(media);
  }

  /** The public name of a media whose object exists: that entry, too, must survive a power cut. */
  async #findLinked(media: Media): Promise<Named | null> {
    const named = await this.#names.find(media);
    if (named !== null) {
      this.#store.directories.entryMade(this.#store.objects.directoryOf(media.sha256));
    }
    return named;
  }

  /** Null if the name exists. */
  async #tryCreate(media: Media, path: string): Promise<NewObject | null> {
    const { calls, directories } = this.#store;
    const file = await this.#openNew(media, path);
    if (file === null) return null;
    directories.entryMade(this.#store.objects.directoryOf(media.sha256));
    try {
      await this.#requireRightFile(media, path);
    } catch (error) {
      calls.close(file);
      throw error;
    }
    return new NewObject(this.#store, file, path, media.id);
  }

  async #openNew(media: Media, path: string): Promise<Deno.FsFile | null> {
    const { root, calls } = this.#store;
    try {
      return await calls.openNew(`${root}/${path}`, OBJECT_MODE);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return null;
      if (error instanceof Deno.errors.NotFound) {
        throw this.#store.note(
          new StorageLostError(
            `${root}/${path}: its directory has gone; mount the disk again`,
            { cause: error },
          ),
        );
      }
      const directory = this.#store.objects.directoryOf(media.sha256);
      throw this.#store.note(changeFailureIn(directory, error, `create ${path}`, media.id));
    }
  }

  /**
   * By its path, not by its handle: for `fstat` Deno 2.9 checks the path's permission again, by a readlink
   * of each of its parts. That was 7 of 45 system calls for a media of 20 KB, and 5 % of the store's
   * processor time.
   */
  async #requireRightFile(media: Media, path: string): Promise<void> {
    const { root, calls, device } = this.#store;
    let found: Deno.FileInfo | null;
    try {
      found = await calls.lstat(`${root}/${path}`);
    } catch (error) {
      const directory = this.#store.objects.directoryOf(media.sha256);
      throw this.#store.note(changeFailureIn(directory, error, `check ${path}`, media.id));
    }
    if (found === null) {
      await this.#store.requireIdentity();
      throw vanished(media.id, path);
    }
    if (found.dev !== device) {
      throw this.#store.note(
        new StorageLostError(
          `${root}/${path} came to be on another disk than storage.json; mount the right one`,
        ),
      );
    }
    // 0440 lets NGINX read by its group, and lets no process open the file for writing again.
    const bits = (found.mode ?? 0) & 0o7777;
    if (bits !== OBJECT_MODE) {
      throw this.#store.note(
        new ConfigurationError(
          `${root}/${path} was made with mode ${bits.toString(8)}, not ` +
            `${OBJECT_MODE.toString(8)}; start the worker with a umask of 0027, on a file system ` +
            "that keeps mode bits",
        ),
      );
    }
  }
}
