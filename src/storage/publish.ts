import { MediaFailureError, StorageLostError, StoragePausedError } from "../errors.ts";
import type { Media } from "../media.ts";
import { DirectoryError, type DirectoryHandle, withAncestors } from "./directories.ts";
import { changeFailure, fsyncFailure, skeletonFailure } from "./failures.ts";
import { isSkeleton, objectDirectory, publicDirectory } from "./layout.ts";
import { type Found, linkPublic } from "./names.ts";
import type { Stored } from "../stored.ts";
import type { NotStored, Published } from "./storage.ts";
import type { Store } from "./store.ts";

/** A media on its way to its public name, its object synced. */
export interface Entry {
  readonly media: Media;
  /** Relative to the root: what is to be linked, where the media has no name yet. */
  readonly object: string | null;
  readonly found: Found | null;
}

/**
 * Names objects that are fdatasynced, then fsyncs every directory in which a name was made or found.
 * Only after that is a media stored: a name that exists may be the unsynced work of a process that died.
 */
export async function publish(store: Store, entries: readonly Entry[]): Promise<Published> {
  store.requireIdentity();
  const named: Stored[] = [];
  const notStored: NotStored[] = [];
  let paused: StoragePausedError | null = null;
  const verified = new Set<string>();
  for (const { media, object, found } of entries) {
    if (object === null) {
      if (found !== null) named.push({ media, ...found });
      continue;
    }
    try {
      if (paused !== null) throw paused;
      named.push({ media, ...await linkPublic(store, media, object, verified) });
    } catch (error) {
      const noted = store.note(error);
      if (noted instanceof StoragePausedError) paused = noted;
      else if (error instanceof MediaFailureError) notStored.push({ media, error });
      else throw error;
      store.unlinked.remember(media.id, { sha256: media.sha256, path: object });
    }
  }
  const unsynced = await syncDirectories(store, named);
  // An fsync of another batch may have failed meanwhile, and that puts this one's in doubt as well.
  store.requireSound();
  const stored: Stored[] = [];
  for (const each of named) {
    const error = unsynced.size === 0 ? null : firstOf(unsynced, each.media, store);
    if (error === null) stored.push(each);
    else notStored.push({ media: each.media, error });
  }
  return { stored, notStored, paused };
}

/** The directories that make a media's names durable: its object's, its public name's, all above. */
function directoriesOf(media: Media, store: Store): string[] {
  const { prefixSize } = store.identity;
  return [objectDirectory(media.sha256), publicDirectory(media, prefixSize)].flatMap(withAncestors);
}

/** Each directory once, side by side. Returns those that could not be opened, with the reason. */
async function syncDirectories(
  store: Store,
  named: readonly Stored[],
): Promise<Map<string, unknown>> {
  const failed = new Map<string, unknown>();
  const paths = new Set(named.flatMap(({ media }) => directoriesOf(media, store)));
  const unsynced = [...paths].filter((path) => !store.directories.isSynced(path));
  await Promise.all(unsynced.map((path) => syncDirectory(store, path, failed)));
  return failed;
}

async function syncDirectory(
  store: Store,
  path: string,
  failed: Map<string, unknown>,
): Promise<void> {
  const { directories, calls, slots } = store;
  if (!slots.tryTake()) await slots.take();
  try {
    let handle: DirectoryHandle;
    try {
      handle = directories.open(path);
    } catch (error) {
      failed.set(path, error);
      return;
    }
    try {
      await calls.sync(handle.file);
      handle.synced();
    } catch (error) {
      store.note(fsyncFailure(error, directories.absolute(path)));
    } finally {
      calls.close(handle.file);
    }
  } finally {
    slots.give();
  }
}

/** What keeps this media from being durable, if it is one of the directories that could not be opened. */
function firstOf(failed: Map<string, unknown>, media: Media, store: Store): Error | null {
  const path = directoriesOf(media, store).find((path) => failed.has(path));
  if (path === undefined) return null;
  const error = failed.get(path);
  const isGone = error instanceof DirectoryError || error instanceof Deno.errors.NotFound;
  if (isGone && isSkeleton(path)) {
    throw store.note(new StorageLostError(error.message, { cause: error }));
  }
  if (isGone) return new MediaFailureError(media.id, error.message);
  const failureOf = isSkeleton(path) ? skeletonFailure : changeFailure;
  const failure = store.note(failureOf(error, `open ${path} for its fsync`, media.id));
  if (failure instanceof MediaFailureError) return failure;
  throw failure;
}
