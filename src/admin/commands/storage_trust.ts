import { ConfigurationError, UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { type AdminInbox, openInbox, transaction } from "../../inbox/admin/inbox.ts";
import { type HeldReceipt, receiptsOf } from "../../inbox/admin/receipts.ts";
import { clearDistrust, redeliver } from "../../inbox/admin/trust.ts";
import { EventLoopYielder } from "../../storage/admin/event_loop_yielder.ts";
import { inBatches } from "../../storage/admin/held_files.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { clearName } from "../../storage/admin/quarantine.ts";
import { requireWriter } from "../../storage/admin/ownership.ts";
import { isOwnPath, recheck } from "../../storage/admin/recheck.ts";
import { AuditLog } from "../../storage/admin/audit_log.ts";
import { count } from "../../units.ts";
import { type Context, DATABASE, treeCommand } from "../command.ts";
import { hold } from "../hold.ts";
import { requireRegistered } from "../registered.ts";
import type { Root } from "../roots.ts";

interface Options {
  readonly database: string;
  readonly root: string;
  readonly remounted?: boolean;
  readonly redeliver?: boolean;
}

/** Media that one statement owes again. */
const AT_ONCE = 1000;

type Bad = HeldReceipt & { readonly why: string };

export const storageTrust = treeCommand<Options>({
  usage: "trust <name>",
  summary: "believe a distrusted storage again, after reading what it stored",
  description:
    "After a failed fsync or an I/O error a storage is distrusted: its worker stops and its receipts " +
    "no longer count. Fix the disk and remount it (until then the kernel answers from memory what " +
    "may not be on the disk), then run this: it reads everything that the receipts name, and " +
    "trusts the storage again only if all of it is right. What is wrong and still in the inbox can " +
    "be delivered again (--redeliver); for the rest: `storage repair`.",
  options: [
    DATABASE,
    ["!--root <root>", "the storage's root"],
    ["--remounted", "the file system was remounted, or the machine restarted, since the failure"],
    [
      "--redeliver",
      "quarantine what is wrong and still in the inbox, and let the worker store it again",
    ],
  ],
  examples: [
    "umount /srv/omoide/hot && fsck /dev/sdb1 && mount /srv/omoide/hot",
    "omoide-admin storage trust hot --root /srv/omoide/hot --remounted --database …",
  ],
  exits: {
    [EXIT.ATTENTION]: "some of it is not right: see the output; the storage stays distrusted",
  },
  need: "change",
  tree: (_args, { root }) => root,
  run: async ([name = ""], options, context) => {
    const { console } = context;
    const root = context.openRoot();
    if (root.identity.storage !== name) {
      throw new UsageError(`${root.path} is the storage ${root.identity.storage}, not ${name}`);
    }
    await using inbox = await openInbox(options.database);
    const storage = await requireRegistered(inbox, root);
    if (storage.distrustedReason === null) {
      console.result({ name, trusted: true, read: 0, bad: [] });
      console.say(`${name} is not distrusted; nothing to do.`);
      return EXIT.OK;
    }
    if (options.remounted !== true) {
      throw new ConfigurationError(
        `${name} is distrusted: ${storage.distrustedReason}. Fix its disk and remount it, then say so ` +
          "with --remounted: before that the kernel may show bytes that never reached the disk",
      );
    }
    const owner = requireWriter(root.path);
    using held = await hold(root, inbox, false);
    const tree = new GuardedTree(root.path, root.identity.format);
    const { read, bad } = await readAll(inbox, root, tree, context);
    using auditLog = new AuditLog(tree, owner);
    const owedAgain = new Set<string>();
    const { storageId } = held;
    if (options.redeliver === true && storageId !== null) {
      const again = bad.filter(({ released }) => !released);
      for (const receipt of again) {
        if (!isOwnPath(receipt, root.identity.prefixSize)) continue;
        clearName(tree, receipt.path, receipt.sha256, owner, auditLog);
      }
      const ids = again.map(({ mediaId }) => mediaId);
      for await (const batch of inBatches(ids, AT_ONCE)) {
        const ids = await transaction(inbox, () => redeliver(inbox, storageId, batch));
        for (const id of ids) owedAgain.add(id);
      }
    }
    const redelivered = owedAgain.size;
    // Not by `released`, which was asked before: a release that began before the distrust may end after it.
    const wrong = bad.filter(({ mediaId }) => !owedAgain.has(mediaId));
    for (const { path, why } of wrong) console.say(`wrong: ${path} ${why}`);
    if (redelivered > 0) {
      console.say(`${count(redelivered, "media", "media")} will be stored again.`);
    }
    const trusted = wrong.length === 0;
    if (trusted) {
      auditLog.write("trust", { reason: storage.distrustedReason, read, redelivered });
      await clearDistrust(inbox, storage);
    }
    console.result({ name, trusted, read, bad, redelivered });
    const amount = `${count(read, "file")} read`;
    console.say(
      trusted
        ? `TRUSTED: ${name}: ${amount}, all as their receipts say. Its worker may start.`
        : `STILL DISTRUSTED: ${count(wrong.length, "file")} of ${name} not as the receipts say, ` +
          `${amount}. From another storage: \`storage repair\`, and what is missing by \`storage sync\`; ` +
          "or --redeliver what is in the inbox.",
    );
    return trusted ? EXIT.OK : EXIT.ATTENTION;
  },
});

async function readAll(
  inbox: AdminInbox,
  root: Root,
  tree: GuardedTree,
  { console, signal }: Context,
): Promise<{ read: number; bad: Bad[] }> {
  const bad: Bad[] = [];
  let read = 0, bytes = 0;
  const yielder = new EventLoopYielder(signal);
  for await (const receipt of await receiptsOf(inbox, root.identity.storage)) {
    const pause = yielder.tick();
    if (pause) await pause;
    const why = recheck(tree, receipt, root.identity.prefixSize);
    if (why !== null) bad.push({ ...receipt, why });
    read++;
    bytes += receipt.size;
    console.progress(`reading ${root.identity.storage}`, bytes, null, "bytes");
  }
  return { read, bad };
}
