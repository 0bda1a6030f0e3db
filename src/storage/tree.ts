import { ConfigurationError, MediaFailureError, messageOf, StorageLostError } from "../errors.ts";
import type { Media } from "../media.ts";
import { DirectoryError } from "./directories.ts";
import { changeFailure, isOfFile, lookFailure, refusal, skeletonFailure } from "./failures.ts";
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
  // An owner's directory lies in one that `storage init` made.
  const failure = parent.includes("/") ? changeFailure : skeletonFailure;
  if (verifyFor(store, path, mediaId) === null) {
    try {
      store.directories.make(path, parent, PUBLIC_DIRECTORY_MODE);
    } catch (error) {
      // Its parent was there a moment ago: perhaps the disk has gone.
      if (error instanceof Deno.errors.NotFound) store.requireIdentity();
      throw store.note(failure(error, `make the directory ${path}`, mediaId));
    }
    requireMode(store, path, verifyFor(store, path, mediaId)?.mode ?? 0);
  }
  verified.add(path);
}

/** The umask would take from every other directory and file what it took from this one. */
function requireMode(store: Store, path: string, mode: number): void {
  if ((mode & PUBLIC_DIRECTORY_MODE) === PUBLIC_DIRECTORY_MODE) return;
  throw store.note(
    new ConfigurationError(
      `${store.root}/${path} was made with mode ${(mode & 0o777).toString(8)}, readers need ` +
        `${
          PUBLIC_DIRECTORY_MODE.toString(8)
        }: start the worker with a umask of 0027, and fix that mode`,
    ),
  );
}

/** As `verify`, of a directory below the skeleton: what is wrong with it is only this media's trouble. */
function verifyFor(store: Store, path: string, mediaId: bigint): Deno.FileInfo | null {
  try {
    return store.directories.verify(path);
  } catch (error) {
    if (error instanceof DirectoryError) throw new MediaFailureError(mediaId, error.message);
    // Looking at an owner's directory takes a right on the one that `storage init` made.
    const isOwners = path.split("/").length === 2;
    const refused = isOwners ? refusal(error, `look at the directory ${path}`) : null;
    if (refused !== null) throw store.note(refused);
    throw lookFailure(error, `look at the directory ${path}`, mediaId);
  }
}

/** A directory that `storage init` made, and its ancestors: without it there is no storage. */
export function requireSkeleton(store: Store, path: string, verified: Set<string>): void {
  if (verified.has(path)) return;
  const slash = path.lastIndexOf("/");
  if (slash > 0) requireSkeleton(store, path.slice(0, slash), verified);
  let found: Deno.FileInfo | null;
  try {
    found = store.directories.verify(path);
  } catch (error) {
    if (!(error instanceof DirectoryError) && !isOfFile(error)) throw error;
    const refused = refusal(error, `look at the directory ${path}`);
    if (refused !== null) throw store.note(refused);
    throw store.note(
      new StorageLostError(`The storage is not whole: ${messageOf(error)}`, { cause: error }),
    );
  }
  if (found === null) {
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
    if (verifyFor(store, path, media.id) === null) {
      throw new MediaFailureError(media.id, `${path} vanished while this media was being stored`);
    }
    verified.add(path);
  }
}
