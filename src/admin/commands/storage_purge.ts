import { integer } from "../../command_line.ts";
import { ConfigurationError, UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { foldHoldings } from "../../inbox/admin/counters.ts";
import { type AdminInbox, openInbox } from "../../inbox/admin/inbox.ts";
import { forgetReceipts, stillInInbox } from "../../inbox/admin/purge.ts";
import { inBatches } from "../../storage/admin/held_files.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { type Manifest, openManifest } from "../../storage/admin/manifest.ts";
import { type Proof, readProof } from "../../storage/admin/proof.ts";
import { requireWriter } from "../../storage/admin/ownership.ts";
import {
  countMedia,
  planPurge,
  type Purgeable,
  purgeFiles,
  type PurgePlan,
} from "../../storage/admin/purge.ts";
import { AuditLog } from "../../storage/admin/audit_log.ts";
import { count, showBytes } from "../../units.ts";
import { type Context, treeCommand, YES } from "../command.ts";
import { hold } from "../hold.ts";
import { Move } from "../moved.ts";
import type { Root } from "../roots.ts";

/** A purge of more than this share of a storage's files needs their number typed. */
const LARGE_SHARE = 0.1;

interface Options {
  readonly manifest: string;
  readonly database?: string;
  readonly count?: number;
  readonly movedTo?: string;
  readonly proof?: readonly string[];
  readonly yes?: boolean;
}

interface Prepared {
  readonly manifest: Manifest;
  readonly proofs: readonly Proof[];
}

export const storagePurge = treeCommand<Options, Prepared>({
  usage: "purge <root>",
  summary: "delete the files that a manifest lists, and nothing else",
  description:
    "Deletes from one storage exactly what a manifest of that storage lists (`storage manifest`, then " +
    "filtered by hand or by --owner, --since, --until). Checks every entry first: if one is " +
    "not what the manifest says, nothing is done. More than a tenth of a storage needs the " +
    "number of files (--count). Logs each deletion in .omoide/record.jsonl. Refuses while a " +
    "worker holds the storage. There is no undo.",
  options: [
    ["!--manifest <file>", "what to delete: a manifest of this very storage"],
    [
      "--database <url>",
      "a superuser's URL: also delete the receipts; required unless the database is lost",
    ],
    [
      "--moved-to <url>",
      "the inbox that the owner has moved to: delete only what is there, in as many copies as it asks for",
    ],
    [
      "--proof <files...>",
      "with --moved-to: what `storage prove --json` said of each of its storages",
    ],
    [
      "--count <n>",
      "the number of files, for a purge of more than a tenth of the storage",
      integer(0, Number.MAX_SAFE_INTEGER),
    ],
    YES,
  ],
  examples: [
    "omoide-admin storage manifest /srv/omoide/hot --owner UUID > purge.manifest",
    "omoide-admin storage purge /srv/omoide/hot --manifest purge.manifest --database …",
    "omoide-admin storage purge /srv/omoide/hot --manifest purge.manifest --database … --yes",
  ],
  exits: {
    [EXIT.ATTENTION]: "entries are not what the manifest says; nothing was done",
    [EXIT.CONFIGURATION]:
      "something is still in the inbox, is not proven to have moved, or --count is missing; nothing was done",
  },
  need: "change",
  tree: ([root = ""]) => root,
  prepare: (_args, { manifest, movedTo, proof = [], database }) => {
    if (movedTo !== undefined && database === undefined) {
      throw new UsageError("--moved-to needs --database: the inbox that the files are in");
    }
    if (movedTo === undefined && proof.length > 0) {
      throw new UsageError("--proof belongs to --moved-to; give the other inbox's URL too");
    }
    return { manifest: openManifest(manifest), proofs: proof.map(readProof) };
  },
  run: async (_args, options, { console, signal, openRoot }, { manifest, proofs }) => {
    const root = openRoot();
    requireOwnManifest(options.manifest, manifest, root);
    const dry = options.yes !== true;
    const owner = dry ? null : requireWriter(root.path);
    await using inbox = options.database === undefined ? null : await openInbox(options.database);
    using held = await hold(root, inbox, dry);
    const tree = new GuardedTree(root.path, root.identity.format);
    const plan = await planPurge(tree, root.identity.prefixSize, manifest.entries(), signal);
    const { files, bytes, gone, changed } = plan;
    const total = await countMedia(tree, signal);
    const amount = `${count(files.length, "file")} (${showBytes(bytes)}) of ` +
      `${total.toLocaleString("en-US")} in ${root.identity.storage}`;
    console.say(
      `${options.manifest}: ${amount}${
        gone.length === 0 ? "" : `, ${gone.length} more are gone already`
      }.`,
    );
    if (changed.length > 0) {
      for (const { path, why } of changed) console.say(`changed: ${path} ${why}`);
      console.result({ ...root.identity, done: false, ...summary(plan) });
      console.say(
        `NOTHING DONE: ${count(changed.length, "entry", "entries")} not as the manifest says.`,
      );
      return EXIT.ATTENTION;
    }
    requireCount(files.length, total, options.count, dry);
    const entries = files.map(({ entry }) => entry);
    if (inbox !== null) await requireReleased(inbox, entries);
    await using move = options.movedTo === undefined || inbox === null
      ? null
      : await Move.open(inbox, options.movedTo, proofs, manifest);
    if (move !== null) {
      await requireStill(move, entries, 0);
      console.say(`Proven in the other inbox: all ${count(files.length, "file")}.`);
    }
    if (dry || owner === null) {
      for (const { path } of entries) console.say(`would delete ${path}`);
      console.result({ ...root.identity, done: false, ...summary(plan) });
      console.say(`${amount} would be deleted for good; add --yes to do it.`);
      return EXIT.OK;
    }
    using auditLog = new AuditLog(tree, owner);
    const { storageId } = held;
    const forget = async (entries: readonly Purgeable["entry"][]) => {
      if (inbox !== null && storageId !== null) await forgetReceipts(inbox, storageId, entries);
    };
    const require = async (entries: readonly Purgeable["entry"][], deleted: number) => {
      if (move !== null) await requireStill(move, entries, deleted);
    };
    const deleted = await deleteAll(plan, { tree, auditLog, require, forget }, { console, signal });
    if (inbox !== null) await foldHoldings(inbox.connection);
    const done = deleted === files.length;
    console.result({ ...root.identity, done, deleted, ...summary(plan) });
    console.say(
      done
        ? `DONE: ${amount} deleted.`
        : `STOPPED after ${count(deleted, "file")}; run it again to continue.`,
    );
    return done ? EXIT.OK : EXIT.INTERRUPTED;
  },
});

/** What deleting touches: the files, the log of it, and their receipts. */
interface Purging {
  readonly tree: GuardedTree;
  readonly auditLog: AuditLog;
  /** Asked before each batch: a purge takes hours, and the other inbox can lose a storage meanwhile. */
  readonly require: (entries: readonly Purgeable["entry"][], deleted: number) => Promise<void>;
  readonly forget: (entries: readonly Purgeable["entry"][]) => Promise<void>;
}

/** @returns how many files were deleted before the end, or Ctrl-C */
async function deleteAll(
  { files, gone }: PurgePlan,
  { tree, auditLog, require, forget }: Purging,
  { console, signal }: Pick<Context, "console" | "signal">,
): Promise<number> {
  // Of files that went in another way.
  for await (const batch of inBatches(gone, 500)) await forget(batch);
  let deleted = 0;
  for await (const batch of inBatches(files, 500)) {
    if (signal.aborted) break;
    const entries = batch.map(({ entry }) => entry);
    await require(entries, deleted);
    auditLog.write("purge", {
      deleted: batch.map(({ entry, object }) => ({ path: entry.path, object })),
    });
    // First, so that no receipt is ever of a file that has gone: whatever ends this here, the inbox counts too few.
    await forget(entries);
    purgeFiles(tree, batch);
    deleted += batch.length;
    console.progress("purging", deleted, files.length, "names");
  }
  return deleted;
}

/** @throws {ConfigurationError} what has moved is not there, or no longer; and how far the purge has come */
async function requireStill(
  move: Move,
  entries: readonly Purgeable["entry"][],
  deleted: number,
): Promise<void> {
  try {
    await move.require(entries);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const done = deleted === 0 ? "nothing was done" : `${count(deleted, "file")} had been deleted`;
    throw new ConfigurationError(`${error.message}; ${done}`, { cause: error });
  }
}

function requireOwnManifest(file: string, { owner }: Manifest, { path, identity }: Root): void {
  if (owner.uuid === identity.uuid) return;
  throw new UsageError(
    `${file} is a manifest of ${owner.storage} (${owner.uuid}), ` +
      `not of ${path} (${identity.storage}, ${identity.uuid})`,
  );
}

/** @throws {ConfigurationError} something of these is still in the inbox */
async function requireReleased(
  inbox: AdminInbox,
  entries: readonly Purgeable["entry"][],
): Promise<void> {
  for await (const batch of inBatches(entries, 1000)) {
    const waiting = await stillInInbox(inbox, batch);
    if (waiting === 0) continue;
    throw new ConfigurationError(
      `${count(waiting, "media", "media")} of these are still in the inbox and would be stored ` +
        "again; purge when `inbox status` says that nothing is owed. Nothing was done",
    );
  }
}

function summary({ files, bytes, gone, changed }: PurgePlan) {
  return { files: files.length, bytes, gone: gone.length, changed };
}

function requireCount(files: number, total: number, typed: number | undefined, dry: boolean): void {
  if (typed !== undefined && typed !== files) {
    throw new UsageError(`--count ${typed} is not the number of files, ${files}; nothing was done`);
  }
  if (dry || typed !== undefined || files <= total * LARGE_SHARE) return;
  throw new ConfigurationError(
    `That is ${
      Math.round(files / total * 100)
    } % of the storage; if you mean it, add --count ${files}. ` +
      "Nothing was done",
  );
}
