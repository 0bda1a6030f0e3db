import { foldHoldings } from "../inbox/admin/counters.ts";
import type { AdminInbox } from "../inbox/admin/inbox.ts";
import { type HeldFile, rebuildReceipts } from "../inbox/admin/rebuild_receipts.ts";
import { InterruptedError } from "../errors.ts";
import { entriesOf } from "../storage/admin/entries.ts";
import { GuardedTree } from "../storage/admin/guarded_tree.ts";
import { inBatches, nameEntry } from "../storage/admin/held_files.ts";
import { ownerIn } from "../storage/layout.ts";
import type { Context } from "./command.ts";
import { requireRegistered } from "./registered.ts";
import type { Root } from "./roots.ts";

/** What became of a tree's files. */
export interface RebuildReport {
  files: number;
  receipts: number;
  media: number;
  /** Of media still in the inbox: left to the worker, who looks at the bytes. */
  left: number;
  /** Public files that are links to no object. */
  unvouched: string[];
}

/**
 * Makes the receipts of everything in a tree. Reads names, not bytes.
 *
 * @param owner of this owner alone, whose objects are called by the ids of another inbox
 */
export async function rebuild(
  inbox: AdminInbox,
  root: Root,
  { console, signal }: Context,
  owner?: string,
): Promise<RebuildReport> {
  const storage = await requireRegistered(inbox, root);
  const report: RebuildReport = { files: 0, receipts: 0, media: 0, left: 0, unvouched: [] };
  async function* held(): AsyncGenerator<HeldFile> {
    const { prefixSize } = root.identity;
    for await (
      const entry of entriesOf(new GuardedTree(root.path, root.identity.format), prefixSize, {
        signal,
      })
    ) {
      if (owner !== undefined && ownerIn(entry.path) !== owner) continue;
      const { sha256, mediaId } = entry, name = nameEntry(entry, prefixSize);
      if (sha256 === null || mediaId === null || name === null) report.unvouched.push(entry.path);
      else yield { ...name, sha256, mediaId: owner === undefined ? mediaId : null };
    }
  }
  for await (const files of inBatches(held(), 1000)) {
    if (signal.aborted) throw new InterruptedError(`stopped after ${report.files}; run it again`);
    const made = await rebuildReceipts(inbox, storage.id, files);
    report.files += files.length;
    report.receipts += made.receipts;
    report.media += made.media;
    report.left += made.left;
    console.progress("making receipts", report.files, null, "names");
  }
  await foldHoldings(inbox.connection);
  return report;
}
