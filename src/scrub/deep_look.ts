import type { Finding } from "../finding.ts";
import { OBJECT_DIRECTORIES } from "../storage/layout.ts";
import { lookAtObject } from "../storage/scrub/look_at_object.ts";
import { LookProgress } from "./look.ts";
import type { Pace } from "./pace.ts";
import type { LookContext } from "./shallow_look.ts";

/** Read at once. Larger pieces were no faster. */
const PIECE = 1024 * 1024;

/**
 * The deep look: every byte of every object, in the order of their names, which is at random across the
 * disk: paced, a seek a file does not matter. Holds the names of one of the 256 directories in memory.
 *
 * @param isDue asked between two objects: something else should be done first
 * @returns how many findings it had, or null if it was stopped, or interrupted, before its end
 */
export async function lookDeeply(
  { session, tree, stop }: LookContext,
  pace: Pace,
  isDue: () => Promise<boolean> = () => Promise.resolve(false),
): Promise<number | null> {
  const progress = await LookProgress.open(session, "deep");
  const buffer = new Uint8Array(PIECE);
  const after = progress.position ?? "";
  for (const directory of OBJECT_DIRECTORIES) {
    const last = `${directory}/\u{ffff}`;
    if (last < after) continue;
    const names = tree.list(directory);
    if (names === null) await progress.reached(last, [missing(directory)]);
    for (const name of names ?? []) {
      const path = `${directory}/${name}`;
      if (path <= after) continue;
      if (stop.aborted || await isDue()) {
        await progress.say();
        return null;
      }
      const { bytes, finding } = await lookAtObject(
        tree,
        path,
        buffer,
        (bytes, tookMs) => pace.after(bytes, tookMs),
      );
      progress.files += 1;
      progress.bytes += bytes;
      await progress.reached(path, finding === null ? [] : [finding]);
    }
  }
  return await progress.finish();
}

/**
 * Looks again at what earlier deep looks have found, so that a repair shows within a day, and not only when
 * all has been read again.
 */
export async function lookAgain({ session, tree, stop }: LookContext, pace: Pace): Promise<void> {
  const buffer = new Uint8Array(PIECE);
  let after = 0n;
  for (;;) {
    const page = await session.openFindings("deep", after, 100);
    const well: bigint[] = [];
    for (const { id, path } of page) {
      if (stop.aborted) return;
      after = id;
      const onPiece = (bytes: number, tookMs: number) => pace.after(bytes, tookMs);
      const { finding } = isDirectory(path)
        ? { finding: tree.list(path) === null ? missing(path) : null }
        : await lookAtObject(tree, path, buffer, onPiece);
      if (finding === null) well.push(id);
    }
    await session.close(well);
    if (page.length === 0) return;
  }
}

function isDirectory(path: string): boolean {
  return OBJECT_DIRECTORIES.includes(path);
}

function missing(path: string): Finding {
  const detail =
    "is missing, and every object in it; `storage init` makes it, `storage sync` fills it";
  return { kind: "missing", path, detail, mediaId: null };
}
