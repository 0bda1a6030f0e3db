import { parentOf } from "../layout.ts";
import { EventLoopYielder } from "./event_loop_yielder.ts";
import type { Entry } from "./entries.ts";
import { type FileId, type GuardedTree, sameFile } from "./guarded_tree.ts";
import { type NamedEntry, nameEntry } from "./held_files.ts";
import { requireVisibleLinks } from "./visible_links.ts";
import { walkObjects } from "./walk.ts";

/** A file that a manifest lists, as it was found in the storage. */
export interface Purgeable {
  readonly entry: NamedEntry & { readonly sha256: string };
  /** Relative to the root. */
  readonly object: string;
  readonly file: FileId;
}

/** What a manifest's entries are in the storage now. */
export interface PurgePlan {
  readonly files: Purgeable[];
  readonly bytes: number;
  /** Entries whose names are gone already: an earlier purge of the same manifest. */
  readonly gone: Purgeable["entry"][];
  /** Entries that are not what the manifest says; with any of these nothing may be done. */
  readonly changed: Changed[];
}

interface Changed {
  readonly path: string;
  readonly why: string;
}

/** Looks at each entry of a manifest; changes nothing. @throws {ConfigurationError} links are hidden */
export async function planPurge(
  tree: GuardedTree,
  prefixSize: number,
  entries: Iterable<Entry>,
  signal: AbortSignal,
): Promise<PurgePlan> {
  await requireVisibleLinks(tree, prefixSize, signal);
  const yielder = new EventLoopYielder(signal);
  const files: Purgeable[] = [], gone: PurgePlan["gone"] = [], changed: Changed[] = [];
  let bytes = 0;
  for (const given of entries) {
    const pause = yielder.tick();
    if (pause) await pause;
    const { path, sha256 } = given, named = nameEntry(given, prefixSize);
    if (named === null || sha256 === null) {
      changed.push({ path, why: "is not the path of a media" });
      continue;
    }
    const entry = { ...named, sha256 };
    const found = look(tree, entry);
    if (found === null) gone.push(entry);
    else if (typeof found === "string") changed.push({ path, why: found });
    else {
      files.push(found);
      bytes += entry.size;
    }
  }
  return { files, bytes, gone, changed };
}

function look(tree: GuardedTree, entry: Purgeable["entry"]): Purgeable | string | null {
  const { path, size, sha256 } = entry;
  const object = `${tree.objects.directoryOf(sha256)}/${entry.object}`;
  const file = tree.look(path), bytes = tree.look(object);
  if (file === null && bytes === null) return null;
  if (bytes === null) return "is there, but its object is not";
  // The public name went first, so that no reader meets a name whose object is gone.
  if (file !== null && (!file.isFile || !sameFile(file, bytes))) return "is another file by now";
  if (!bytes.isFile || !tree.isOnDevice(bytes)) return "has another kind of object by now";
  if (bytes.size !== size) return `has ${bytes.size} bytes, not ${size}`;
  if (bytes.nlink !== (file === null ? 1 : 2)) return `has ${bytes.nlink} names`;
  return { entry, object, file: bytes };
}

/** Removes both names of each file, if it is still the one that was looked at; makes that durable. */
export function purgeFiles(tree: GuardedTree, files: readonly Purgeable[]): void {
  const directories = new Set<string>();
  try {
    for (const { entry, object, file } of files) {
      for (const name of [entry.path, object]) {
        if (tree.look(name) === null) continue;
        tree.remove(name, file);
        directories.add(parentOf(name));
      }
    }
  } finally {
    // Of those before one that changed underneath, too: they stay purged.
    for (const directory of directories) tree.sync(directory);
  }
}

/** How many media a storage has: objects that have a public name. */
export async function countMedia(tree: GuardedTree, signal: AbortSignal): Promise<number> {
  const yielder = new EventLoopYielder(signal);
  let total = 0;
  for (const { info } of walkObjects(tree, () => {})) {
    const pause = yielder.tick();
    if (pause) await pause;
    if (info.nlink !== 1) total++;
  }
  return total;
}
