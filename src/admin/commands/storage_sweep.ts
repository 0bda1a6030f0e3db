import { EXIT } from "../../exit_codes.ts";
import { type AdminInbox, openInbox } from "../../inbox/admin/inbox.ts";
import { claimsOn } from "../../inbox/admin/claims.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { inBatches } from "../../storage/admin/held_files.ts";
import { requireWriter } from "../../storage/admin/ownership.ts";
import { AuditLog } from "../../storage/admin/audit_log.ts";
import {
  type Orphan,
  orphanObjects,
  orphanProbes,
  removeOrphans,
} from "../../storage/admin/sweep.ts";
import { count, showBytes } from "../../units.ts";
import { treeCommand, YES } from "../command.ts";
import { hold } from "../hold.ts";

const A_DAY_MS = 24 * 3600 * 1000;

interface Kept {
  readonly path: string;
  readonly why: string;
}

export const storageSweep = treeCommand<{ database?: string; unknown?: boolean; yes?: boolean }>({
  usage: "sweep <root>",
  summary: "remove orphans and the probes of `--check`",
  description:
    "Removes orphans: objects left by interrupted attempts, without a public name, older than a " +
    "day, neither owed nor the only bytes of a media. Without --database only the probes, " +
    "since a tree alone does not say whether an object is still needed. Refuses while a " +
    "worker holds the storage.",
  options: [
    ["--database <url>", "a superuser's URL: sweep objects too"],
    [
      "--unknown",
      "also objects of media that this inbox does not know; is it the right one, and whole?",
    ],
    YES,
  ],
  examples: [
    "omoide-admin storage sweep /srv/omoide/hot --database postgres://postgres@localhost/omoide",
    "omoide-admin storage sweep /srv/omoide/hot --database … --yes",
  ],
  need: "change",
  tree: ([root = ""]) => root,
  run: async (_args, { database, unknown, yes }, { console, signal, openRoot }) => {
    const root = openRoot();
    const dry = yes !== true;
    const owner = dry ? null : requireWriter(root.path);
    await using inbox = database === undefined ? null : await openInbox(database);
    using held = await hold(root, inbox, dry);
    const tree = new GuardedTree(root.path, root.identity.format);
    const before = new Date(Date.now() - A_DAY_MS);
    const kept: Kept[] = [];
    const objects = inbox === null || held.storageId === null ? [] : await unneeded(
      inbox,
      held.storageId,
      orphanObjects(tree, root.identity.prefixSize, before, signal),
      {
        tree,
        kept,
        unknown: unknown === true,
      },
    );
    if (inbox === null) {
      console.say(
        "Objects are left as they are: without --database nothing says which are needed.",
      );
    }
    const orphans = [...objects, ...orphanProbes(tree, before)];
    const bytes = orphans.reduce((sum, { size }) => sum + size, 0);
    const amount = `${count(orphans.length, "orphan")} (${showBytes(bytes)})`;
    for (const { path, why } of kept) console.say(`kept: ${path} ${why}`);
    for (const { path } of orphans) console.say(`${dry ? "would remove" : "removing"} ${path}`);
    if (!dry && owner !== null && orphans.length > 0) {
      using auditLog = new AuditLog(tree, owner);
      for await (const batch of inBatches(orphans, 500)) {
        auditLog.write("sweep", { removed: batch.map(({ path }) => path) });
        removeOrphans(tree, batch);
      }
    }
    console.result({
      ...root.identity,
      done: !dry,
      orphans: orphans.map(({ path }) => path),
      bytes,
      kept,
    });
    console.say(
      dry ? `${amount} would be removed; --yes does it.` : `DONE: ${amount} removed.`,
    );
    return EXIT.OK;
  },
});

/** The orphans among the unused objects; what is kept is reported. */
async function unneeded(
  inbox: AdminInbox,
  storageId: number,
  orphans: AsyncIterable<Orphan>,
  { tree, kept, unknown }: { tree: GuardedTree; kept: Kept[]; unknown: boolean },
): Promise<Orphan[]> {
  const found: Orphan[] = [];
  for await (const batch of inBatches(orphans, 1000)) {
    const objects = batch.map(({ object }) => ({
      mediaId: String(object?.mediaId ?? 0),
      sha256: object?.sha256 ?? "",
    }));
    const claims = new Map(
      (await claimsOn(inbox, storageId, objects)).map((claim) => [claim.mediaId, claim]),
    );
    for (const orphan of batch) {
      const claim = claims.get(String(orphan.object?.mediaId ?? 0));
      if (claim?.owed === true) {
        kept.push({ path: orphan.path, why: "is of a media that is still owed" });
      } else if (claim?.path !== null && claim !== undefined && !isFile(tree, claim.path)) {
        kept.push({
          path: orphan.path,
          why: `may be all there is of ${claim.path}, which is gone`,
        });
      } else if (claim === undefined && !unknown) {
        kept.push({ path: orphan.path, why: "is of a media that the inbox does not know" });
      } else found.push(orphan);
    }
  }
  return found;
}

function isFile(tree: GuardedTree, path: string): boolean {
  try {
    return tree.look(path)?.isFile === true;
  } catch {
    // What cannot be looked at is not relied on: the orphan is kept.
    return false;
  }
}
