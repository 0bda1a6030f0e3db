import { integer } from "../../command_line.ts";
import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { mediaIdsOf } from "../../inbox/admin/rebuild_receipts.ts";
import { adopt } from "../../storage/admin/adopt.ts";
import { holdStorage } from "../../storage/admin/open_for_admin.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { requireWriter } from "../../storage/admin/ownership.ts";
import { AuditLog } from "../../storage/admin/audit_log.ts";
import { readPasswordFile } from "../../storage/credential_file.ts";
import { IDENTITY_PATH } from "../../storage/layout.ts";
import { count, showBytes } from "../../units.ts";
import { DATABASE, treeCommand } from "../command.ts";
import { initStorage, LARGE } from "../init_storage.ts";
import { ACCEPT, lookAtMount } from "../look_at_mount.ts";
import type { MountFound } from "../../storage/admin/note_mount.ts";
import { rebuild } from "../rebuild.ts";
import { requireRegistered } from "../registered.ts";
import { PARALLEL } from "./storage_verify.ts";

interface Options {
  readonly database: string;
  readonly name?: string;
  readonly passwordFile?: string;
  readonly prefixSize?: number;
  readonly parallel: number;
  readonly large?: boolean;
  readonly accept?: string;
}

interface Prepared {
  readonly password: string | undefined;
  readonly mounted?: MountFound;
}

export const storageAdopt = treeCommand<Options, Prepared>({
  usage: "adopt <root>",
  summary: "make an existing Omoide tree a storage, without copying",
  description:
    "Takes over the tree <media_type>/<owner>/<prefix>/<item>.<ext> of an earlier installation: " +
    "registers it as a storage, hashes each file, links it as an object where it is, and makes " +
    "its receipt. ROOT and everything in it must belong to the worker's user already (chown -R, as " +
    "root); modes are put right. Stop whatever else writes there. Can be stopped at any time and run " +
    "again.",
  options: [
    DATABASE,
    ["--name <name>", "the storage's name, if ROOT is not a storage yet"],
    ["--password-file <file>", "the role's new password"],
    [
      "--prefix-size <n>",
      "leading characters of the item that name its directory (default: 2)",
      integer(1, 8),
    ],
    LARGE,
    ACCEPT,
    ["--parallel <n>", "files to read at once", integer(1, 64), PARALLEL],
  ],
  examples: [
    "omoide-admin storage adopt /srv/omoide/hot --name hot \\",
    "  --database postgres://postgres@localhost/omoide",
  ],
  exits: {
    [EXIT.INCOMPLETE]:
      "some files do not belong in a storage, and were left as they are: see the output",
  },
  need: "change",
  tree: ([root = ""]) => root,
  prepare: ([root = ""], { passwordFile, accept }) => ({
    ...lookAtMount(root, accept),
    password: readPasswordFile(passwordFile),
  }),
  run: async (_args, options, context, { password, mounted }) => {
    const { console, signal, path } = context;
    await using inbox = await openInbox(options.database);
    if (!isStorage(path)) {
      if (options.name === undefined) {
        throw new UsageError(`${path} is not a storage yet: give it a name with --name`);
      }
      await initStorage(inbox, {
        name: options.name,
        root: path,
        adopt: true,
        large: options.large === true,
        ...defined({ mounted, prefixSize: options.prefixSize, password }),
      });
    }
    const root = context.openRoot();
    await requireRegistered(inbox, root);
    const owner = requireWriter(path);
    using _lock = await holdStorage(path);
    const tree = new GuardedTree(path, root.identity.format);
    using auditLog = new AuditLog(tree, owner);
    const report = await adopt(tree, {
      owner,
      prefixSize: root.identity.prefixSize,
      parallel: options.parallel,
      signal,
      mediaIds: (files) => mediaIdsOf(inbox, files.map((file) => ({ ...file, mediaId: null }))),
      progress: (bytes) => console.progress("adopting", bytes, null, "bytes"),
    });
    const { adopted, adoptedBytes, already, unfit } = report;
    if (adopted > 0) auditLog.write("adopt", { adopted, adoptedBytes });
    const { receipts } = await rebuild(inbox, root, context);
    console.result({ ...root.identity, ...report, receipts });
    for (const { path, why } of unfit) console.say(`left: ${path} ${why}`);
    console.say(
      `${unfit.length === 0 ? "DONE" : "INCOMPLETE"}: ${count(adopted, "file")} ` +
        `(${showBytes(adoptedBytes)}) adopted by ${root.identity.storage}, ` +
        `${already.toLocaleString("en-US")} were before, ${count(receipts, "receipt")} made` +
        (unfit.length === 0 ? "." : `; ${count(unfit.length, "name")} left as they are.`),
    );
    if (owner.uid === 0) {
      console.say(`Note: ${path} belongs to root; chown -R it to the worker's user.`);
    }
    return unfit.length === 0 ? EXIT.OK : EXIT.INCOMPLETE;
  },
});

function isStorage(path: string): boolean {
  try {
    return Deno.lstatSync(`${path}/${IDENTITY_PATH}`).isFile;
  } catch {
    // If it is there and cannot be looked at, making it says so.
    return false;
  }
}
