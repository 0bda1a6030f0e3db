import { type ObjectName, parentOf, PROBE_DIRECTORY } from "../layout.ts";
import { EventLoopYielder } from "./event_loop_yielder.ts";
import { type FileId, type GuardedTree, sameFile } from "./guarded_tree.ts";
import { LEGACY_QUARANTINE_DIRECTORY, QUARANTINE_DIRECTORY } from "../places.ts";
import { requireVisibleLinks } from "./visible_links.ts";
import { walkObjects } from "./walk.ts";

/** A name that may be swept. */
export interface Orphan {
  /** Relative to the root. */
  readonly path: string;
  readonly size: number;
  readonly file: FileId;
  /** Of an object; null for a probe. */
  readonly object: ObjectName | null;
}

/**
 * Objects without a public name that nobody has written to since a time.
 *
 * @throws {ConfigurationError} on this mount every object would look like one
 */
export async function* orphanObjects(
  tree: GuardedTree,
  prefixSize: number,
  before: Date,
  signal: AbortSignal,
): AsyncGenerator<Orphan> {
  await requireVisibleLinks(tree, prefixSize, signal);
  const yielder = new EventLoopYielder(signal);
  for (const { path, name, info } of walkObjects(tree, () => {})) {
    const pause = yielder.tick();
    if (pause) await pause;
    if (info.nlink !== 1 || (info.mtime ?? new Date()) >= before) continue;
    yield { path, size: info.size, file: info, object: name };
  }
}

const ORPHAN_PLACES = [
  [PROBE_DIRECTORY, ""],
  [QUARANTINE_DIRECTORY, "draft-"],
  [LEGACY_QUARANTINE_DIRECTORY, "draft-"],
] as const;

/**
 * What `--check` and `storage init` left in the probe directory, and drafts of repairs that died.
 *
 * @throws {ConfigurationError} such a place is not a directory of the storage
 */
export function* orphanProbes(tree: GuardedTree, before: Date): Generator<Orphan> {
  for (const [directory, begins] of ORPHAN_PLACES) {
    for (const { name, info } of tree.list(directory)) {
      const isOld = (info.mtime ?? new Date()) < before;
      if (!name.startsWith(begins) || !info.isFile || !isOld) continue;
      // A second name of something else takes no room.
      const size = info.nlink === 1 ? info.size : 0;
      yield { path: `${directory}/${name}`, size, file: info, object: null };
    }
  }
}

/**
 * Removes orphans, each only if it is still what was found: the same file, and for an object still
 * without a public name.
 *
 * @returns those that were removed
 */
export function removeOrphans(tree: GuardedTree, orphans: readonly Orphan[]): Orphan[] {
  const removed: Orphan[] = [], directories = new Set<string>();
  for (const orphan of orphans) {
    const info = tree.look(orphan.path);
    if (info === null || !info.isFile || !sameFile(info, orphan.file)) continue;
    if (orphan.object !== null && info.nlink !== 1) continue;
    tree.remove(orphan.path, orphan.file);
    directories.add(parentOf(orphan.path));
    removed.push(orphan);
  }
  for (const directory of directories) tree.sync(directory);
  return removed;
}
