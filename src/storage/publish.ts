import { MediaFailureError, StoragePausedError } from "../errors.ts";
import type { Media } from "../media.ts";
import type { Stored } from "../stored.ts";
import { DirectorySync } from "./directory_sync.ts";
import type { Named, Names } from "./names.ts";
import type { NotStored, Published } from "./storage.ts";
import type { Store } from "./store.ts";

/**
 * A media on its way into the archive: its object, synced, that only lacks the public name (relative to
 * the root), or the name that it was found to have.
 */
export type Entry =
  & { readonly media: Media }
  & (
    | { readonly object: string }
    | { readonly named: Named }
  );

/**
 * Names objects that are fdatasynced, then fsyncs every directory in which a name was made or found.
 * Only after that is a media stored: a name that exists may be the unsynced work of a process that died.
 */
export async function publish(
  store: Store,
  names: Names,
  entries: readonly Entry[],
): Promise<Published> {
  await store.requireIdentity();
  const named: Stored[] = [];
  const notStored: NotStored[] = [];
  let paused: StoragePausedError | null = null;
  for (const entry of entries) {
    const { media } = entry;
    if ("named" in entry) {
      named.push({ media, ...entry.named });
      continue;
    }
    try {
      if (paused !== null) throw paused;
      named.push({ media, ...await names.give(media, entry.object) });
    } catch (error) {
      const noted = store.note(error);
      if (noted instanceof StoragePausedError) paused = noted;
      else if (error instanceof MediaFailureError) notStored.push({ media, error });
      else throw error;
      store.unlinked.remember(media.id, { sha256: media.sha256, path: entry.object });
    }
  }
  const sync = new DirectorySync(store);
  await sync.run(named.map(({ media }) => media));
  // An fsync of another batch may have failed meanwhile, and that puts this one's in doubt as well.
  store.requireSound();
  const stored: Stored[] = [];
  for (const each of named) {
    const error = sync.failureOf(each.media);
    if (error === null) stored.push(each);
    else notStored.push({ media: each.media, error });
  }
  return { stored, notStored, paused };
}
