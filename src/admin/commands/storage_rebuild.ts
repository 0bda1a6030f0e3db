import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { count } from "../../units.ts";
import { DATABASE, treeCommand } from "../command.ts";
import { rebuild } from "../rebuild.ts";

export const storageRebuild = treeCommand<{ database: string }>({
  usage: "rebuild <root>",
  summary: "recreate the receipts from a storage's tree",
  description:
    "For a database that was lost or restored from a backup, and after `storage sync`: makes a " +
    "receipt for each public file, and the media's rows that are missing, with their ids. " +
    "Trusts the names (run `storage verify` first). What is still in the inbox is left to the " +
    "worker, which checks the bytes. Safe to rerun.",
  options: [DATABASE],
  examples: [
    "omoide-admin inbox init --uuid UUID --database …  # the `inbox` in .omoide/storage.json",
    "omoide-admin storage init hot /srv/omoide/hot --database …",
    "omoide-admin storage rebuild /srv/omoide/hot --database …",
  ],
  exits: { [EXIT.ATTENTION]: "some public files are links to no object: see `storage verify`" },
  need: "ask",
  tree: ([root = ""]) => root,
  run: async (_args, { database }, context) => {
    const root = context.openRoot();
    await using inbox = await openInbox(database);
    const report = await rebuild(inbox, root, context);
    const { console } = context;
    console.result({ ...root.identity, ...report });
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
