import { MediaFailureError, StorageLostError } from "../errors.ts";
import type { Media } from "../media.ts";
import { DirectoryError } from "./directories.ts";
import { lookFailure } from "./failures.ts";
import { ownerDirectory, PUBLIC_DIRECTORY_MODE, publicDirectory } from "./layout.ts";
import type { Store } from "./store.ts";

/**
 * Makes the directories that a media's public name needs, where they are missing.
 *
 * @param verified directories that this batch has looked at; grows
 */
export function makePublicDirectories(store: Store, media: Media, verified: Set<string>): void {
  const { prefixSize } = store.identity;
  const prefix = publicDirectory(media, prefixSize);
  if (verified.has(prefix)) return;
  const owner = ownerDirectory(media);
  requireSkeleton(store, media.mediaType, verified);
  makeDirectory(store, owner, media.mediaType, media.id, verified);
  makeDirectory(store, prefix, owner, media.id, verified);
}

function makeDirectory(
  store: Store,
  path: string,
  parent: string,
  mediaId: bigint,
  verified: Set<string>,
): void {
  if (verified.has(path)) return;
  if (!verifyFor(store, path, mediaId)) {
    try {
      store.directories.make(path, parent, PUBLIC_DIRECTORY_MODE);
    } catch (error) {
      if (error instanceof DirectoryError) throw new MediaFailureError(mediaId, error.message);
      throw store.noteChange(error, `make the directory ${path}`, mediaId);
    }
  }
  verified.add(path);
}

/** Whether a directory below the skeleton is there; what is wrong with it is only this media's trouble. */
function verifyFor(store: Store, path: string, mediaId: bigint): boolean {
  try {
    return store.directories.verify(path);
  } catch (error) {
    if (error instanceof DirectoryError) throw new MediaFailureError(mediaId, error.message);
    throw lookFailure(error, `look at the directory ${path}`, mediaId);
  }
}

/** A directory that `storage init` made, and its ancestors: without it there is no storage. */
export function requireSkeleton(store: Store, path: string, verified: Set<string>): void {
  if (verified.has(path)) return;
  const slash = path.lastIndexOf("/");
  if (slash > 0) requireSkeleton(store, path.slice(0, slash), verified);
  let there: boolean;
  try {
    there = store.directories.verify(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw store.note(new StorageLostError(`The storage is not whole: ${why}`, { cause: error }));
  }
  if (!there) {
    throw store.note(
      new StorageLostError(
        `The storage is not whole: ${store.root}/${path} is missing; mount its disk, or run ` +
          "`storage init` again with the same name and root",
      ),
    );
  }
  verified.add(path);
}

/** As `makePublicDirectories`, but makes nothing: they must be there, and real. */
export function requirePublicDirectories(store: Store, media: Media, verified: Set<string>): void {
  const prefix = publicDirectory(media, store.identity.prefixSize);
  if (verified.has(prefix)) return;
  const owner = prefix.slice(0, prefix.lastIndexOf("/"));
  requireSkeleton(store, media.mediaType, verified);
  for (const path of [owner, prefix]) {
    if (verified.has(path)) continue;
    if (!verifyFor(store, path, media.id)) {
      throw new MediaFailureError(media.id, `${path} vanished while this media was being stored`);
    }
    verified.add(path);
  }
}
