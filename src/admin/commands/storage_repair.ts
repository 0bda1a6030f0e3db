import { messageOf } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { isHarm, type VerifyFinding, type VerifyKind } from "../../storage/admin/findings.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { requireWriter } from "../../storage/admin/ownership.ts";
import { AuditLog } from "../../storage/admin/audit_log.ts";
import {
  type Repair,
  repairObject,
  repairOrder,
  repairUnvouched,
} from "../../storage/admin/repair.ts";
import type { Source } from "../../storage/admin/source.ts";
import { verify } from "../../storage/admin/verify.ts";
import { count } from "../../units.ts";
import { type Context, treeCommand } from "../command.ts";
import { requireDifferent, type Root } from "../roots.ts";
import { findingsOf, readReport, type Report } from "../verify_report.ts";
import { PARALLEL } from "./storage_verify.ts";

/** What other commands fix (sweep, sync), or a person. */
const LEFT: readonly VerifyKind[] = ["orphan", "unlinked", "unexpected"];

interface Options {
  readonly from: string;
  readonly report?: string;
  readonly dryRun?: boolean;
}

interface Prepared {
  readonly report: Report | null;
}

export const storageRepair = treeCommand<Options, Prepared>({
  usage: "repair <root>",
  summary: "replace what is corrupt by good copies of another storage",
  description:
    "Verifies the storage, then replaces each object that is corrupt or unreadable by a good " +
    "copy, and makes public files without an object whole again. What is replaced is kept in " +
    ".omoide/quarantine, and readers see the old bytes or the good ones, never less. Modes and owners " +
    "are repaired too. Files that are missing altogether: `storage sync`.",
  options: [
    ["!--from <root>", "the storage that has the good copies"],
    ["--report <file>", "what `storage verify --json` found, instead of verifying again"],
    ["--dry-run", "only show what would be repaired"],
  ],
  examples: [
    "omoide-admin storage repair /srv/omoide/hot --from /srv/omoide/cold",
    "omoide-admin storage verify /srv/omoide/hot --json > hot.report",
    "omoide-admin storage repair /srv/omoide/hot --from /srv/omoide/cold --report hot.report",
  ],
  exits: { [EXIT.INCOMPLETE]: "something could not be repaired: see the output" },
  need: "change",
  tree: ([root = ""]) => root,
  source: (_args, { from }) => from,
  prepare: (_args, { report }) => ({
    report: report === undefined ? null : readReport(report),
  }),
  run: async (_args, options, context, { report }) => {
    const { console } = context;
    const bad = context.openRoot();
    using good = await context.openSource();
    requireDifferent(bad, good);
    const owner = requireWriter(bad.path);
    const findings = report === null
      ? await verifyNow(bad, context)
      : findingsOf(report, bad.identity);
    if (findings === null) return EXIT.INTERRUPTED;
    const repairable = findings.filter(({ kind }) => !LEFT.includes(kind));
    if (options.dryRun === true) {
      for (const { kind, path, publicPath } of repairable) {
        console.say(`would repair ${kind}: ${publicPath ?? path}`);
      }
      console.result({ dryRun: true, findings: repairable });
      console.say(`${count(repairable.length, "name")} would be repaired.`);
      return EXIT.OK;
    }
    const tree = new GuardedTree(bad.path, bad.identity.format);
    using auditLog = new AuditLog(tree, owner);
    const repair = { tree, good, owner, auditLog };
    const objects = await objectsOf(good, repairable, context.signal);
    const repaired: string[] = [], failed: { path: string; why: string }[] = [];
    for (const finding of repairable) {
      // One turn of the event loop each, so that Ctrl-C is heard.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (context.signal.aborted) break;
      try {
        await fix(finding, repair, objects);
        repaired.push(finding.publicPath ?? finding.path);
      } catch (error) {
        const why = messageOf(error);
        failed.push({ path: finding.path, why });
      }
    }
    console.result({ storage: bad.identity.storage, repaired, failed });
    for (const path of repaired) console.say(`repaired: ${path}`);
    for (const { path, why } of failed) console.say(`failed: ${path}: ${why}`);
    const amount = `${count(repaired.length, "name")} of ${bad.identity.storage} repaired`;
    if (context.signal.aborted) {
      console.say(`STOPPED: ${amount}; run it again to continue.`);
      return EXIT.INTERRUPTED;
    }
    console.say(
      failed.length === 0
        ? `DONE: ${amount}. \`storage verify\` shows that all is well.`
        : `INCOMPLETE: ${amount}, ${failed.length.toLocaleString("en-US")} not.`,
    );
    return failed.length === 0 ? EXIT.OK : EXIT.INCOMPLETE;
  },
});

async function verifyNow(
  { path, identity }: Root,
  { console, signal }: Context,
): Promise<VerifyFinding[] | null> {
  const report = await verify(path, identity, {
    parallel: Number(PARALLEL),
    bytesPerSecond: 0,
    fraction: 1,
    journal: null,
    signal,
    progress: ({ bytes, read }) => {
      const total = read === 0 ? null : bytes / read;
      console.progress("verifying", bytes, total, "bytes");
    },
  });
  return report.interrupted ? null : report.findings;
}

/** The good storage's objects of the files that have none here. */
async function objectsOf(
  good: Source,
  findings: readonly VerifyFinding[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const wanted = new Set(
    findings.filter(({ kind }) => kind === "unvouched").map(({ path }) => path),
  );
  const found = new Map<string, string>();
  if (wanted.size === 0) return found;
  for await (const { path, object } of good.entries({ signal })) {
    if (object !== null && wanted.has(path)) found.set(path, object);
  }
  return found;
}

async function fix(
  finding: VerifyFinding,
  repair: Repair,
  objects: Map<string, string>,
): Promise<void> {
  switch (finding.kind) {
    case "corrupt":
    case "unreadable":
      await repairObject(finding, repair);
      return;
    case "unvouched": {
      const object = objects.get(finding.path);
      if (object === undefined) throw new Error(`${repair.good.path} does not have it`);
      await repairUnvouched(finding.path, object, repair);
      return;
    }
    case "mode":
    case "owner":
      repairOrder(finding.path, repair);
      return;
    default:
      throw new Error(
        isHarm(finding) ? "has to be looked at by a person" : "is left to `storage sweep`",
      );
  }
}
