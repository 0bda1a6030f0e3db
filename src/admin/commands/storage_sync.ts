import { uuid } from "../../command_line.ts";
import { EXIT } from "../../exit_codes.ts";
import { compare, Comparison } from "../../storage/admin/compare.ts";
import { entriesOf } from "../../storage/admin/entries.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { openForAdmin } from "../../storage/admin/open_for_admin.ts";
import { requireWriter } from "../../storage/admin/ownership.ts";
import { AuditLog } from "../../storage/admin/audit_log.ts";
import { sync, type SyncReport } from "../../storage/admin/sync.ts";
import { ownerIn } from "../../storage/layout.ts";
import { count, showBytes } from "../../units.ts";
import { treeCommand } from "../command.ts";
import { UsageError } from "../../errors.ts";
import { requireDifferent, requireTwoInboxes } from "../roots.ts";

interface Options {
  readonly from: string;
  readonly to: string;
  readonly owner?: string;
  readonly toOtherInbox?: boolean;
  readonly dryRun?: boolean;
}

export const storageSync = treeCommand<Options>({
  usage: "sync",
  summary: "copy what is missing from another storage",
  description:
    "Copies what B lacks by the worker's own write-once protocol: every byte is checked on its " +
    "way and fsynced, nothing that exists is touched. May run beside the workers, be stopped " +
    "at any time and be run again. `storage rebuild` then makes the receipts.",
  options: [
    ["!--from <root>", "A: the storage that has the files"],
    ["!--to <root>", "B: the storage that lacks them"],
    ["--owner <uuid>", "only what belongs to this owner", uuid],
    [
      "--to-other-inbox",
      "B belongs to another inbox, to which this owner moves; needs --owner",
    ],
    ["--dry-run", "only show what would be copied"],
  ],
  examples: [
    "omoide-admin storage sync --from /srv/omoide/cold --to /srv/omoide/hot --dry-run",
    "omoide-admin storage sync --from /srv/omoide/cold --to /srv/omoide/hot",
  ],
  exits: {
    [EXIT.TRY_AGAIN]: "B's disk is full or read-only; what was copied before stays",
    [EXIT.DISTRUSTED]: "B's disk failed",
    [EXIT.INCOMPLETE]: "some files could not be copied, or differ: see the output",
  },
  need: "change",
  tree: (_args, { to }) => to,
  source: (_args, { from }) => from,
  run: async (_args, options, { console, signal, openRoot, openSource }) => {
    const { owner, toOtherInbox } = options;
    if (toOtherInbox && owner === undefined) {
      throw new UsageError("--to-other-inbox moves one owner; name it with --owner");
    }
    const b = openRoot();
    using a = await openSource();
    if (toOtherInbox) requireTwoInboxes(a, b);
    else requireDifferent(a, b);
    const dry = options.dryRun === true;
    const writer = dry ? null : requireWriter(b.path);
    const { prefixSize } = a.identity;
    let bytes = 0;
    const walking = console.walking("comparing");
    const tree = new GuardedTree(b.path, b.identity.format);
    const differences = compare(
      a.entries({ signal, ...walking }),
      entriesOf(tree, b.identity.prefixSize, { signal, onName: walking.onName }),
      new Comparison(),
    );
    using auditLog = writer === null ? null : new AuditLog(tree, writer);
    const to = dry ? null : await openForAdmin(b.path);
    try {
      const report = await sync(differences, {
        from: a,
        to,
        prefixSize,
        wanted: (path) => owner === undefined || ownerIn(path) === owner,
        signal,
        copied: (path, size) => {
          bytes += size;
          if (dry) console.say(`would copy ${path} (${showBytes(size)})`);
          else console.progress("copying", bytes, null, "bytes");
        },
      });
      const { copied, copiedBytes } = report;
      if (copied > 0) auditLog?.write("sync", { from: a.identity.uuid, copied, copiedBytes });
      console.result({ from: a.identity, to: b.identity, dryRun: dry, ...report });
      return printReport(report, b.identity.storage, dry, console);
    } finally {
      to?.close();
    }
  },
});

function printReport(
  report: SyncReport,
  to: string,
  dry: boolean,
  console: { say(line: string): void },
) {
  for (const { path, why } of report.failed) console.say(`failed: ${path} ${why}`);
  for (const path of report.different) {
    console.say(`different: ${path} has other bytes, or none that are vouched for; left as it is`);
  }
  const amount = `${count(report.copied, "file")} (${showBytes(report.copiedBytes)})`;
  const bad = report.failed.length + report.different.length;
  if (report.interrupted) {
    console.say(`STOPPED after ${amount}; run it again to continue.`);
    return EXIT.INTERRUPTED;
  }
  const done = dry ? `${amount} would be copied to ${to}` : `${amount} copied to ${to}`;
  console.say(bad === 0 ? `DONE: ${done}.` : `INCOMPLETE: ${done}; ${count(bad, "file")} not.`);
  return bad === 0 ? EXIT.OK : EXIT.INCOMPLETE;
}
