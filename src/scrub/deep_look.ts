import type { Finding, FindingKind } from "../finding.ts";
import { lookAtObject } from "../storage/scrub/look_at_object.ts";
import { type ReadOnlyTree, UnreadableError } from "../storage/scrub/read_only_tree.ts";
import { type LookContext, LookProgress } from "./look.ts";
import type { Pace } from "./pace.ts";

/** Read at once. Larger pieces were no faster. */
const PIECE = 1024 * 1024;

/**
 * The deep look: every byte of every object, in the order of their names, which is at random across the
 * disk: paced, a seek a file does not matter. Holds the names of one directory in memory.
 *
 * @param isDue asked between two objects: something else should be done first
 * @returns how many findings it had, or null if it was stopped, interrupted or given up before its end
 */
export async function lookDeeply(
  context: LookContext,
  pace: Pace,
  isDue: () => Promise<boolean> = () => Promise.resolve(false),
): Promise<number | null> {
  const { tree, stop } = context;
  const progress = await LookProgress.open(context, "deep");
  const buffer = new Uint8Array(PIECE);
  const after = progress.position ?? "";
  for (const directory of tree.objects.directories) {
    const last = `${directory}/\u{ffff}`;
    if (last < after) continue;
    const { names, finding } = objectsIn(tree, directory);
    if (finding !== null) await progress.reached(last, [finding]);
    for (const name of names) {
      const path = `${directory}/${name}`;
      if (path <= after) continue;
      const look = stop.aborted || await isDue()
        ? null
        : await lookAtObject(tree, path, buffer, (...piece) => pace.after(...piece), stop);
      if (look === null) {
        await progress.say();
        return null;
      }
      progress.files += 1;
      progress.bytes += look.bytes;
      await progress.reached(path, look.finding === null ? [] : [look.finding]);
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
      const look = tree.objects.isDirectory(path)
        ? objectsIn(tree, path)
        : await lookAtObject(tree, path, buffer, (...piece) => pace.after(...piece), stop);
      if (look?.finding === null) well.push(id);
    }
    // Nothing is wrong with what is not there.
    tree.requireThere();
    await session.close(well);
    if (page.length === 0) return;
  }
}

/** The names in a directory of objects, or what is wrong with it. */
function objectsIn(
  tree: ReadOnlyTree,
  directory: string,
): { readonly names: readonly string[]; readonly finding: Finding | null } {
  const wrong = (kind: FindingKind, detail: string) => ({
    names: [],
    finding: { kind, path: directory, detail, mediaId: null },
  });
  try {
    const names = tree.list(directory);
    if (names !== null) return { names, finding: null };
    return wrong(
      "missing",
      "is missing, and every object in it; `storage init` makes it, `storage sync` fills it",
    );
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    return wrong("unreadable", error.message);
  }
}
