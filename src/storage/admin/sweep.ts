import { unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { type ObjectName, PROBE_DIRECTORY } from "../layout.ts";
import { Breather } from "./breather.ts";
import { syncDirectory } from "./ownership.ts";
import { ASIDE_DIRECTORY } from "./places.ts";
import { walkObjects } from "./walk.ts";

/** A name that may be swept. */
export interface Leftover {
  /** Relative to the root. */
  readonly path: string;
  readonly size: number;
  readonly inode: number | null;
  /** Of an object; null for a probe. */
  readonly object: ObjectName | null;
}

/** Objects without a public name that nobody has written to since a time. */
export async function* leftoverObjects(
  root: string,
  before: Date,
  signal: AbortSignal,
): AsyncGenerator<Leftover> {
  const breather = new Breather(signal);
  for (const { path, name, info } of walkObjects(root, () => {})) {
    const pause = breather.tick();
    if (pause) await pause;
    if (info.nlink !== 1 || (info.mtime ?? new Date()) >= before) continue;
    yield { path, size: info.size, inode: info.ino, object: name };
  }
}

/** What `--check` and `storage init` left in the probe directory, and drafts of repairs that died. */
export function* leftoverProbes(root: string, before: Date): Generator<Leftover> {
  for (const [directory, begins] of [[PROBE_DIRECTORY, ""], [ASIDE_DIRECTORY, "draft-"]] as const) {
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
 * Removes leftovers, each only if it is still what was found: the same inode, and for an object still
 * without a public name.
 *
 * @returns those that were removed
 */
export function removeLeftovers(root: string, leftovers: readonly Leftover[]): Leftover[] {
  const removed: Leftover[] = [], directories = new Set<string>();
  for (const leftover of leftovers) {
    const path = `${root}/${leftover.path}`;
    const info = Deno.lstatSync(path);
    const same = info.isFile && info.ino === leftover.inode;
    if (!same || (leftover.object !== null && info.nlink !== 1)) continue;
    unlinkSync(path);
    directories.add(dirname(path));
    removed.push(leftover);
  }
  for (const directory of directories) syncDirectory(directory);
  return removed;
}
