import type { Finding, FindingKind } from "../finding.ts";
import {
  lookAtNames,
  lookAtTop,
  type NamesLook,
  ownerDirectories,
  type PublicFile,
} from "../storage/scrub/look_at_names.ts";
import { lookAtReceipt } from "../storage/scrub/look_at_receipt.ts";
import type { ReadOnlyTree } from "../storage/scrub/read_only_tree.ts";
import { type LookContext, LookProgress } from "./look.ts";
import type { Pace } from "./pace.ts";

/** Receipts, or names, that the inbox is asked about at once. */
const PAGE = 1000;

/** Where the look at the names is once it has seen the top of the tree: before each owner's directory. */
const TOP = ".";

/**
 * The shallow look: each receipt's file, by id; then each name in the public tree, owner by owner. Holds a
 * page of receipts, or the names of one directory, in memory.
 *
 * @param between called between two pages
 * @returns how many findings it had, or null if it was stopped, or given up, before its end
 */
export async function lookShallowly(
  context: LookContext,
  pace: Pace,
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<number | null> {
  const progress = await LookProgress.open(context, "shallow");
  const { phase, after } = positionOf(progress.position);
  if (phase === "receipts") {
    await lookAtReceipts(context, progress, pace, BigInt(after), between);
  }
  if (!context.stop.aborted) {
    await lookAtTree(context, progress, pace, phase === "names" ? after : "", between);
  }
  if (!context.stop.aborted) return await progress.finish();
  await progress.say();
  return null;
}

function positionOf(position: string | null): { phase: "receipts" | "names"; after: string } {
  const [phase, after] = /^(receipts|names) (.*)$/s.exec(position ?? "")?.slice(1) ?? [];
  return phase === "names"
    ? { phase, after: after ?? "" }
    : { phase: "receipts", after: /^\d+$/.test(after ?? "") ? after ?? "0" : "0" };
}

async function lookAtReceipts(
  { session, tree, stop }: LookContext,
  progress: LookProgress,
  pace: Pace,
  after: bigint,
  between: () => Promise<void>,
): Promise<void> {
  let last = after;
  for (;;) {
    const page = await session.receipts(last, PAGE);
    const findings: Finding[] = [];
    for (const receipt of page) {
      if (stop.aborted) break;
      const began = performance.now();
      const finding = lookAtReceipt(tree, receipt);
      if (finding !== null) findings.push(finding);
      progress.files += 1;
      last = receipt.mediaId;
      const pause = pace.after(1, performance.now() - began);
      if (pause !== null) await pause;
    }
    await progress.reached(`receipts ${last}`, findings);
    await between();
    if (stop.aborted || page.length < PAGE) return;
  }
}

async function lookAtTree(
  context: LookContext,
  progress: LookProgress,
  pace: Pace,
  after: string,
  between: () => Promise<void>,
): Promise<void> {
  const { tree, prefixSize, stop } = context;
  if (after === "") await progress.reached(`names ${TOP}`, lookAtTop(tree));
  for (const { path, finding } of ownerDirectories(tree, after)) {
    if (stop.aborted) return;
    if (finding !== null) await progress.reached(`names ${path}`, [finding]);
    else {
      for (const look of lookAtNames(tree, path, prefixSize, after)) {
        if (stop.aborted) return;
        await progress.reached(`names ${look.path}`, await findingsOf(context, look));
        const pause = pace.after(look.files.length, 0);
        if (pause !== null) await pause;
      }
      await progress.reached(`names ${path}`, []);
      await between();
    }
  }
}

/** What is wrong with the names in a directory, those that the inbox does not know among them. */
async function findingsOf(
  { session, tree }: LookContext,
  { files, findings }: NamesLook,
): Promise<Finding[]> {
  const found = [...findings];
  for (let at = 0; at < files.length; at += PAGE) {
    const page = files.slice(at, at + PAGE);
    const known = await session.known(page);
    found.push(
      ...page.filter(({ path }) => !known.has(path)).flatMap((file) => strange(tree, file)),
    );
  }
  return found;
}

/** What has no receipt, unless it has gone since: an administrator may have purged it. */
function strange(tree: ReadOnlyTree, { path }: PublicFile): Finding[] {
  const info = tree.look(path);
  if (info === null) return [];
  const [kind, detail]: [FindingKind, string] = info.isFile
    ? [
      "file without receipt",
      "is a file of which the inbox knows nothing; `storage rebuild` makes its receipt",
    ]
    : ["unexpected", "is no file of a media; see who made it"];
  return [{ kind, path, detail, mediaId: null }];
}
