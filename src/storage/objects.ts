import { ConfigurationError, MediaFailureError, StorageLostError } from "../errors.ts";
import type { Media } from "../media.ts";
import { skeletonFailure } from "./failures.ts";
import { MAX_OBJECT_NAMES, OBJECT_MODE, objectDirectory, objectPath } from "./layout.ts";
import { findPublished, type Found } from "./names.ts";
import type { Store } from "./store.ts";
import { makePublicDirectories, requireSkeleton } from "./tree.ts";

/** An object that was just created, empty. */
export interface NewObject {
  readonly file: Deno.FsFile;
  /** Relative to the root. */
  readonly path: string;
}

/**
 * Creates a media's object, empty, under a name that did not exist: one that does is the orphan of an
 * attempt that died, or anything else, and is never touched. But if there was such an attempt, it may
 * have got as far as the public name; then there is nothing to write.
 *
 * @throws {MediaFailureError} too many attempts have left theirs
 */
export async function createObject(
  store: Store,
  media: Media,
  verified: Set<string>,
): Promise<NewObject | Found> {
  const directory = objectDirectory(media.sha256);
  requireSkeleton(store, directory, verified);
  for (let attempt = 1; attempt <= MAX_OBJECT_NAMES; attempt++) {
    const path = objectPath(media, attempt);
    const file = openNew(store, path, media.id);
    if (file === null) {
      const found = attempt === 1 ? await findLinked(store, media) : null;
      if (found !== null) return found;
      continue;
    }
    store.directories.entryMade(directory);
    try {
      requireRightFile(store, path, store.calls.fstat(file));
    } catch (error) {
      store.calls.close(file);
      throw store.noteChange(error, `look at ${path}`, media.id);
    }
    return { file, path };
  }
  throw new MediaFailureError(
    media.id,
    `${MAX_OBJECT_NAMES} attempts to store this media have left ${
      objectPath(media)
    } and its like; ` +
      "find out what ended them, then remove them with `storage sweep`",
  );
}

/** The name of a media that an attempt before has stored, where that got so far; null where it did not. */
export async function findStored(
  store: Store,
  media: Media,
  verified: Set<string>,
): Promise<Found | null> {
  requireSkeleton(store, objectDirectory(media.sha256), verified);
  const path = objectPath(media);
  try {
    if (store.calls.lstat(`${store.root}/${path}`) === null) return null;
  } catch (error) {
    throw store.note(skeletonFailure(error, `look at ${path}`, media.id));
  }
  makePublicDirectories(store, media, verified);
  return await findLinked(store, media);
}

/** As `findPublished`, of a media whose object exists: that name, too, must survive a power cut. */
async function findLinked(store: Store, media: Media): Promise<Found | null> {
  const found = await findPublished(store, media);
  if (found !== null) store.directories.entryMade(objectDirectory(media.sha256));
  return found;
}

/** Null where the name exists. */
function openNew(store: Store, path: string, mediaId: bigint): Deno.FsFile | null {
  try {
    return store.calls.openNew(`${store.root}/${path}`, OBJECT_MODE);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return null;
    if (error instanceof Deno.errors.NotFound) {
      throw store.note(
        new StorageLostError(
          `${store.root}/${path}: its directory has gone; mount the disk again`,
          {
            cause: error,
          },
        ),
      );
    }
    throw store.note(skeletonFailure(error, `create ${path}`, mediaId));
  }
}

function requireRightFile(store: Store, path: string, { dev, mode }: Deno.FileInfo): void {
  if (dev !== store.device) {
    throw new StorageLostError(
      `${store.root}/${path} came to be on another disk than storage.json; mount the right one`,
    );
  }
  // 0440 is what lets NGINX read by its group, and nobody open the file for writing again.
  const bits = (mode ?? 0) & 0o7777;
  if (bits !== OBJECT_MODE) {
    throw new ConfigurationError(
      `${store.root}/${path} was made with mode ${bits.toString(8)}, not ${
        OBJECT_MODE.toString(8)
      }; ` +
        "start the worker with a umask of 0027, on a file system that keeps mode bits",
    );
  }
}
