import { EXIT, type ExitCode } from "../../exit_codes.ts";
import { EventLoopYielder } from "../../storage/admin/event_loop_yielder.ts";
import {
  compare,
  type Compared,
  Comparison,
  type Difference,
  type Side,
} from "../../storage/admin/compare.ts";
import { type Manifest, type ManifestOwner, openManifest } from "../../storage/admin/manifest.ts";
import { LocalSource, type Source } from "../../storage/admin/source.ts";
import { UsageError } from "../../errors.ts";
import { type AdminInbox, openInbox } from "../../inbox/admin/inbox.ts";
import { receiptsOf } from "../../inbox/admin/receipts.ts";
import { findStorage } from "../../inbox/admin/storages.ts";
import { count } from "../../units.ts";
import { treeCommand, type TreeContext } from "../command.ts";
import { drop } from "../permissions.ts";
import { requireSameInbox } from "../roots.ts";

/** How many differences of one kind are listed with `--json`, which holds them in memory. */
const LISTED = 10_000;

interface Prepared {
  /** Of each side that is a file. */
  readonly manifests: ReadonlyMap<string, Manifest>;
}

/** The sides that are trees. */
function treesOf(args: readonly string[]): string[] {
  return args.filter((given) => !isFile(given));
}

export const storageCompare = treeCommand<{ database?: string }, Prepared>({
  usage: "compare <a> [b]",
  summary: "show how two storages differ, or a storage and its receipts",
  description:
    "Compares two storages by name and checksum: missing in A, missing in B, different bytes, other " +
    "names. A and B are roots, or manifests made on another machine. Reads names, not bytes, in " +
    "constant memory, and needs no database. With --database instead of B, a root is compared " +
    "with its receipts in the inbox.",
  options: [["--database <url>", "compare with the receipts: a superuser's URL, instead of B"]],
  examples: [
    "omoide-admin storage compare /srv/omoide/hot /srv/omoide/cold",
    "omoide-admin storage compare /srv/omoide/hot cold.manifest",
    "omoide-admin storage compare /srv/omoide/hot --database postgres://postgres@localhost/omoide",
  ],
  exits: {
    [EXIT.OK]: "both have the same (a file under another name counts as there)",
    [EXIT.ATTENTION]: "they differ: see the output",
  },
  need: "ask",
  tree: (args) => treesOf(args)[0] ?? null,
  source: (args) => treesOf(args)[1] ?? null,
  prepare: (args) => ({
    manifests: new Map(args.filter(isFile).map((file) => [file, openManifest(file)])),
  }),
  run: async (args, { database }, context, { manifests }) => {
    const [givenA = "", givenB] = args, { console, signal } = context;
    if ((givenB === undefined) === (database === undefined)) {
      throw new UsageError("name two storages, or one and --database");
    }
    await using inbox = database === undefined ? null : await openInbox(database);
    if (inbox === null) drop("look");
    const walking = console.walking("comparing");
    const sides = new Map<string, ComparedSide>();
    for (const [file, manifest] of manifests) {
      sides.set(file, { owner: manifest.owner, entries: manifest.entries() });
    }
    using sources = new DisposableStack();
    for (const [i, tree] of args.filter((given) => !manifests.has(given)).entries()) {
      const source = sources.use(i === 0 ? openTree(context) : await context.openSource());
      sides.set(tree, { owner: source.identity, entries: source.entries({ signal, ...walking }) });
    }
    const a = sideOf(sides, givenA);
    const b = inbox === null ? sideOf(sides, givenB ?? "") : await openReceipts(inbox, a.owner);
    if (inbox === null && a.owner.uuid === b.owner.uuid) {
      throw new UsageError(`${givenA} and ${givenB} are the same storage, ${a.owner.storage}`);
    }
    requireSameInbox(a.owner, b.owner);
    const listed: Difference[] = [];
    const result = new Comparison();
    const yielder = new EventLoopYielder(signal);
    for await (const each of compare(a.entries, b.entries, result, walking.onName)) {
      const pause = yielder.tick();
      if (pause) await pause;
      if (listed.length < LISTED) listed.push(each);
      console.say(sentence(each, a.owner.storage, b.owner.storage));
    }
    console.result({ a: a.owner, b: b.owner, ...result, differences: listed });
    console.say(verdict(result, a.owner.storage, b.owner.storage));
    return exitCode(result);
  },
});

interface ComparedSide {
  readonly owner: ManifestOwner;
  readonly entries: Side<Compared>;
}

/** The first tree, which this process reads itself. */
function openTree(context: TreeContext): Source {
  const { path, identity } = context.openRoot();
  return new LocalSource(path, identity);
}

function sideOf(sides: ReadonlyMap<string, ComparedSide>, given: string): ComparedSide {
  const side = sides.get(given);
  if (side === undefined) throw new UsageError(`${given} is neither a root nor a manifest`);
  return side;
}

/** The inbox's word on what a storage has, called "the receipts". */
async function openReceipts(
  inbox: AdminInbox,
  { storage, uuid }: ManifestOwner,
): Promise<ComparedSide> {
  const registered = await findStorage(inbox, storage);
  if (registered.uuid !== uuid) {
    throw new UsageError(
      `${storage} is registered with the identity ${registered.uuid}, this one has ${uuid}`,
    );
  }
  const owner = { ...registered, storage: "the receipts", inbox: inbox.uuid };
  // Asked before the tree is walked: a file that comes meanwhile is ahead of its receipt, never behind.
  return { owner, entries: await receiptsOf(inbox, storage) };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    // Taken for a tree; what opens that says what is wrong.
    return false;
  }
}

function sentence(difference: Difference, a: string, b: string): string {
  const { kind, path } = difference;
  if (kind === "missing in A") return `missing in ${a}: ${path}`;
  if (kind === "missing in B") return `missing in ${b}: ${path}`;
  if (kind === "renamed") return `renamed: ${path} is ${difference.pathInB} in ${b}`;
  if (kind === "different") return `different: ${path}`;
  return `unknown: ${path} is a link to no object; \`storage verify\` says more`;
}

function verdict(result: Comparison, a: string, b: string): string {
  const { same, missingInA, missingInB, different, renamed, unknown } = result;
  const parts = [
    missingInA > 0 ? `${count(missingInA, "file")} missing in ${a}` : "",
    missingInB > 0 ? `${count(missingInB, "file")} missing in ${b}` : "",
    different > 0 ? `${count(different, "file")} different` : "",
    unknown > 0 ? `${count(unknown, "file")} unknown` : "",
    renamed > 0 ? `${count(renamed, "file")} under another name` : "",
  ].filter((part) => part !== "");
  const held = `${count(same, "file")} the same`;
  return exitCode(result) === EXIT.OK
    ? `SAME: ${a} and ${b} have the same: ${[held, ...parts].join(", ")}.`
    : `DIFFERENT: ${[...parts, held].join(", ")}.`;
}

function exitCode({ missingInA, missingInB, different, unknown }: Comparison): ExitCode {
  return missingInA + missingInB + different + unknown === 0 ? EXIT.OK : EXIT.ATTENTION;
}
