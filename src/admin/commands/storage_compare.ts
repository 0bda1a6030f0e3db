import type { Command } from "commander";
import { EXIT, type ExitCode } from "../../exit_codes.ts";
import { EventLoopYielder } from "../../storage/admin/event_loop_yielder.ts";
import {
  compare,
  type Compared,
  Comparison,
  type Difference,
  type Side,
} from "../../storage/admin/compare.ts";
import { entriesOf, type EntriesOptions } from "../../storage/admin/entries.ts";
import { type ManifestOwner, readManifest } from "../../storage/admin/manifest.ts";
import { Scratch } from "../../storage/admin/scratch.ts";
import { UsageError } from "../../errors.ts";
import { type AdminInbox, openInbox } from "../../inbox/admin/inbox.ts";
import { receiptsOf } from "../../inbox/admin/receipts.ts";
import { findStorage } from "../../inbox/admin/storages.ts";
import { addCommand, type Outcome } from "../command.ts";
import { drop } from "../permissions.ts";
import { openRoot, requireSameInbox } from "../roots.ts";
import { count } from "../units.ts";

/** How many differences of one kind are listed with `--json`, which holds them in memory. */
const LISTED = 10_000;

export function addStorageCompare(group: Command, outcome: Outcome): void {
  addCommand<{ database?: string }>(group, outcome, {
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
    need: "change",
    run: async ([givenA = "", givenB], { database }, { console, signal }) => {
      if ((givenB === undefined) === (database === undefined)) {
        throw new UsageError("name two storages, or one and --database");
      }
      const scratch = Scratch.open();
      await using inbox = database === undefined ? null : await openInbox(database);
      drop(inbox === null ? "look" : "ask");
      let entries = 0;
      const onName = () => {
        if (++entries % 4096 === 0) console.progress("comparing", entries, null, "names");
      };
      const strange = (path: string, why: string) => console.remark(`${path} ${why}`);
      const options = { scratch, signal, strange, onName };
      const a = openSide(givenA, options);
      const b = inbox === null
        ? openSide(givenB ?? "", options)
        : await openReceipts(inbox, a.owner);
      if (inbox === null && a.owner.uuid === b.owner.uuid) {
        throw new UsageError(`${givenA} and ${givenB} are the same storage, ${a.owner.storage}`);
      }
      requireSameInbox(a.owner, b.owner);
      const listed: Difference[] = [];
      const result = new Comparison();
      const yielder = new EventLoopYielder(signal);
      for await (const each of compare(a.entries, b.entries, scratch, result, onName)) {
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
}

function openSide(
  given: string,
  options: EntriesOptions,
): { owner: ManifestOwner; entries: Side<Compared> } {
  if (isFile(given)) {
    const manifest = readManifest(given);
    return { owner: manifest.owner, entries: manifest.entries() };
  }
  const { path, identity } = openRoot(given);
  return {
    owner: identity,
    entries: entriesOf(path, identity.prefixSize, options),
  };
}

/** The inbox's word on what a storage holds, called "the receipts". */
async function openReceipts(
  inbox: AdminInbox,
  { storage, uuid }: ManifestOwner,
): Promise<{ owner: ManifestOwner; entries: Side<Compared> }> {
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
