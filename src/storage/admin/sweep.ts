import { unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { type ObjectName, PROBE_DIRECTORY } from "../layout.ts";
import { EventLoopYielder } from "./event_loop_yielder.ts";
import { syncDirectory } from "./ownership.ts";
import { LEGACY_QUARANTINE_DIRECTORY, QUARANTINE_DIRECTORY } from "./places.ts";
import { walkObjects } from "./walk.ts";

/** A name that may be swept. */
export interface Orphan {
  /** Relative to the root. */
  readonly path: string;
  readonly size: number;
  readonly inode: number | null;
  /** Of an object; null for a probe. */
  readonly object: ObjectName | null;
}

/** Objects without a public name that nobody has written to since a time. */
export async function* orphanObjects(
  root: string,
  before: Date,
  signal: AbortSignal,
): AsyncGenerator<Orphan> {
  const yielder = new EventLoopYielder(signal);
  for (const { path, name, info } of walkObjects(root, () => {})) {
    const pause = yielder.tick();
    if (pause) await pause;
    if (info.nlink !== 1 || (info.mtime ?? new Date()) >= before) continue;
    yield { path, size: info.size, inode: info.ino, object: name };
  }
}

const ORPHAN_PLACES = [
  [PROBE_DIRECTORY, ""],
  [QUARANTINE_DIRECTORY, "draft-"],
  [LEGACY_QUARANTINE_DIRECTORY, "draft-"],
] as const;

/** What `--check` and `storage init` left in the probe directory, and drafts of repairs that died. */
export function* orphanProbes(root: string, before: Date): Generator<Orphan> {
  for (const [directory, begins] of ORPHAN_PLACES) {
    for (const name of namesIn(`${root}/${directory}`)) {
      const path = `${directory}/${name}`;
      const info = Deno.lstatSync(`${root}/${path}`);
      if (!name.startsWith(begins) || !info.isFile || (info.mtime ?? new Date()) >= before) {
        continue;
      }
      // A second name of something else takes no room.
      yield { path, size: info.nlink === 1 ? info.size : 0, inode: info.ino, object: null };
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/**
 * Removes orphans, each only if it is still what was found: the same inode, and for an object still
 * without a public name.
 *
 * @returns those that were removed
 */
export function removeOrphans(root: string, orphans: readonly Orphan[]): Orphan[] {
  const removed: Orphan[] = [], directories = new Set<string>();
  for (const orphan of orphans) {
    const path = `${root}/${orphan.path}`;
    const info = Deno.lstatSync(path);
    const same = info.isFile && info.ino === orphan.inode;
    if (!same || (orphan.object !== null && info.nlink !== 1)) continue;
    unlinkSync(path);
    directories.add(dirname(path));
    removed.push(orphan);
  }
  for (const directory of directories) syncDirectory(directory);
  return removed;
}
