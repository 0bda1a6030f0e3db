import { uuid } from "../../command_line.ts";
import { UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { type AdminInbox, openInbox } from "../../inbox/admin/inbox.ts";
import { serverStateOf } from "../../inbox/connect.ts";
import { AuditLog } from "../../storage/admin/audit_log.ts";
import { forgetNewerTimelines } from "../../storage/admin/forget_timelines.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { holdStorage } from "../../storage/admin/open_for_admin.ts";
import { requireWriter } from "../../storage/admin/ownership.ts";
import { count } from "../../units.ts";
import { DATABASE, treeCommand } from "../command.ts";
import { rebuild } from "../rebuild.ts";

interface Options {
  readonly database: string;
  readonly restored?: boolean;
  readonly owner?: string;
}

export const storageRebuild = treeCommand<Options>({
  usage: "rebuild <root>",
  summary: "recreate the receipts from a storage's tree",
  description:
    "For a database that was lost or restored from a backup, and after `storage sync`: makes a " +
    "receipt for each public file, and the media's rows that are missing, with their ids. " +
    "Trusts the names (run `storage verify` first). What is still in the inbox is left to the " +
    "worker, which checks the bytes. Safe to rerun.",
  options: [
    DATABASE,
    [
      "--restored",
      "the database is in an earlier state than the storage: forget newer timelines; stop the worker",
    ],
    [
      "--owner <uuid>",
      "only of this owner, who has come from another inbox: media that are missing get new ids",
      uuid,
    ],
  ],
  examples: [
    "omoide-admin inbox init --uuid UUID --database …  # the `inbox` in .omoide/storage.json",
    "omoide-admin storage init hot /srv/omoide/hot --database …",
    "omoide-admin storage rebuild /srv/omoide/hot --database …",
  ],
  exits: { [EXIT.ATTENTION]: "some public files are links to no object: see `storage verify`" },
  need: ({ restored }) => restored ? "change" : "ask",
  tree: ([root = ""]) => root,
  run: async (_args, { database, restored, owner }, context) => {
    if (restored && owner !== undefined) {
      throw new UsageError("--restored looks at everything; leave --owner out");
    }
    const root = context.openRoot();
    await using inbox = await openInbox(database);
    // Kept until the receipts are made: a worker that began before would store what is there already.
    using _lock = restored ? await holdStorage(root.path) : null;
    const report = await rebuild(inbox, root, context, owner);
    const forgotten = restored ? forget(root.path, inbox) : [];
    const { console } = context;
    console.result({ ...root.identity, ...report, forgotten });
    if (forgotten.length > 0) {
      console.say(
        `forgotten: that something was acknowledged on timeline ${forgotten.join(", ")}; ` +
          "start the worker again: one that waits since before goes by what it knows",
      );
    }
    for (const path of report.unvouched) {
      console.say(`no receipt: ${path} is a link to no object`);
    }
    console.say(
      `DONE: ${count(report.files, "file")} of ${root.identity.storage}: ` +
        `${count(report.receipts, "receipt")} made, ${
          count(report.media, "media", "media")
        } new to ` +
        `the database, ${report.left.toLocaleString("en-US")} left to the worker.`,
    );
    return report.unvouched.length === 0 ? EXIT.OK : EXIT.ATTENTION;
  },
});

function forget(path: string, inbox: AdminInbox): number[] {
  const { timeline } = serverStateOf(inbox.connection);
  if (timeline === null) return [];
  const tree = new GuardedTree(path, null);
  using auditLog = new AuditLog(tree, requireWriter(path));
  return forgetNewerTimelines(tree, auditLog, timeline);
}
