import { integer, share, size } from "../../command_line.ts";
import { UsageError } from "../../errors.ts";
import { EXIT, type ExitCode } from "../../exit_codes.ts";
import { isHarm, isNote, type VerifyFinding } from "../../storage/admin/findings.ts";
import { Journal } from "../../storage/admin/journal.ts";
import { NamedFile } from "../../storage/admin/named_file.ts";
import { verify, type VerifyReport } from "../../storage/admin/verify.ts";
import { count, showBytes } from "../../units.ts";
import { type Context, treeCommand } from "../command.ts";
import { RecordedLook } from "../record_look.ts";
import type { Root } from "../roots.ts";

interface Options {
  readonly parallel: number;
  readonly rate?: number;
  readonly fraction?: number;
  readonly resume?: string;
  readonly database?: string;
}

interface Prepared {
  readonly state: NamedFile | null;
}

/** Two reads at once keep a rotating disk's arm from travelling more than it must, and an SSD busy. */
export const PARALLEL = String(Math.min(4, navigator.hardwareConcurrency));

export const storageVerify = treeCommand<Options, Prepared>({
  usage: "verify <root>",
  summary: "read every file of a storage and report what is wrong",
  description:
    "Reads every object against the checksum in its name, and looks at every name in the tree: " +
    "public files that are links to no object, unexpected files, orphans, modes and owners. " +
    "Reads only, needs no database, and may run beside the worker. With --database the inbox hears of " +
    "it as of a scrub's look at every byte.",
  options: [
    ["--parallel <n>", "files to read at once", integer(1, 64), PARALLEL],
    ["--rate <size>", "read at most this much per second, such as 50M", size(1, 2 ** 40)],
    [
      "--fraction <share>",
      "read only this share of the objects, chosen at random, such as 0.05",
      share,
    ],
    [
      "--database <url>",
      "record what was found: a superuser's URL; PGPASSWORD is read too. Only a look at everything counts",
    ],
    ["--resume <file>", "keep the state in this file, and continue from there when run again"],
  ],
  examples: [
    "omoide-admin storage verify /srv/omoide/hot",
    "omoide-admin storage verify /srv/omoide/cold --rate 80M --resume /var/tmp/cold.verify",
    "omoide-admin storage verify /srv/omoide/cold --fraction 0.02 --json",
  ],
  exits: {
    [EXIT.OK]: "everything that was read is intact and in its place",
    [EXIT.ATTENTION]: "something is not: see the output",
  },
  need: ({ database }) => database === undefined ? "look" : "ask",
  tree: ([root = ""]) => root,
  prepare: (_args, { resume }) => ({
    state: resume === undefined ? null : NamedFile.toAppend(resume),
  }),
  run: async (_args, options, { console, signal, openRoot }, { state }) => {
    const root = openRoot();
    const fraction = options.fraction ?? 1;
    refusePart(options);
    const look = options.database === undefined
      ? null
      : await RecordedLook.begin(options.database, root);
    const journal = state === null ? null : Journal.of(state, root.identity, fraction);
    try {
      const report = await verify(root.path, root.identity, {
        parallel: options.parallel,
        bytesPerSecond: options.rate ?? 0,
        fraction,
        journal,
        signal,
        progress: ({ bytes, read }) => {
          // Objects are spread evenly over the directories, so their number shows how much is left.
          const total = read === 0 ? null : bytes / read;
          console.progress(`verifying ${root.identity.storage}`, bytes, total, "bytes");
        },
      });
      // First what was found: the database may be away by now.
      const code = printReport(report, root, options, console);
      if (!report.interrupted) await look?.finish(report);
      return code;
    } finally {
      journal?.close();
    }
  },
});

/** What was read in an earlier run may have changed since; what was not read is not known. */
function refusePart({ database, fraction, resume }: Options): void {
  if (database === undefined || (fraction === undefined && resume === undefined)) return;
  throw new UsageError(
    "--database records a look at everything: leave --fraction and --resume out",
  );
}

function printReport(
  report: VerifyReport,
  { identity }: Root,
  options: Options,
  console: Context["console"],
): ExitCode {
  const { findings, interrupted } = report;
  const harm = findings.filter(isHarm), notes = findings.filter(isNote);
  const disorder = findings.filter((finding) => !isHarm(finding) && !isNote(finding));
  console.result({ storage: identity.storage, uuid: identity.uuid, ...report });
  for (const finding of [...notes, ...disorder, ...harm]) console.say(sentence(finding));
  const read = `${count(report.objects, "object")} (${showBytes(report.bytes)}) read`;
  if (interrupted) {
    const next = options.resume === undefined
      ? "use --resume FILE next time to be able to continue"
      : "run it again to continue";
    console.say(`STOPPED after ${read}, ${count(findings.length, "finding")}; ${next}.`);
    return EXIT.INTERRUPTED;
  }
  const seen = `${read} of ${report.objectsSeen.toLocaleString("en-US")}, ` +
    `${count(report.publicFiles, "public file")} looked at`;
  const also = notes.length === 0 ? "" : `; ${count(notes.length, "orphan")} for \`storage sweep\``;
  if (harm.length === 0 && disorder.length === 0) {
    console.say(`GOOD: ${identity.storage} is intact: ${seen}${also}.`);
    return EXIT.OK;
  }
  console.say(
    harm.length > 0
      ? `HARM: ${count(harm.length, "file")} of ${identity.storage} not intact, ` +
        `${count(disorder.length, "name")} not in order: ${seen}${also}. ` +
        "`storage repair ROOT --from GOOD` fixes what is corrupt."
      : `DISORDER: ${identity.storage} is intact, but ` +
        `${count(disorder.length, "name")} not in order: ${seen}${also}.`,
  );
  return EXIT.ATTENTION;
}

function sentence({ kind, path, detail, publicPath }: VerifyFinding): string {
  return `${kind}: ${path} ${detail}${publicPath === undefined ? "" : `; it is ${publicPath}`}`;
}
