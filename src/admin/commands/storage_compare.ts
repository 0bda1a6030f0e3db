import type { Command } from "commander";
import { EXIT, type ExitCode } from "../../exit_codes.ts";
import {
  compare,
  type Compared,
  type Comparison,
  type Difference,
  type Side,
} from "../../storage/admin/compare.ts";
import { entriesOf } from "../../storage/admin/entries.ts";
import { type ManifestOwner, readManifest } from "../../storage/admin/manifest.ts";
import { Scratch } from "../../storage/admin/scratch.ts";
import { UsageError } from "../../errors.ts";
import { addCommand, type Outcome } from "../command.ts";
import { drop } from "../permissions.ts";
import { openRoot, requireSameInbox } from "../roots.ts";
import { count } from "../units.ts";

/** How many differences of one kind are listed with `--json`, which holds them in memory. */
const LISTED = 10_000;

export function addStorageCompare(group: Command, outcome: Outcome): void {
  addCommand<{ json?: boolean }>(group, outcome, {
    usage: "compare <a> <b>",
    summary: "say in what two storages differ",
    description:
      "Compares two storages by name and checksum: missing in A, missing in B, different bytes, other " +
      "names. A and B are roots, or manifests made on another machine. Reads names, not bytes, in " +
      "constant memory, and needs no database.",
    options: [],
    examples: [
      "omoide-admin storage compare /srv/omoide/hot /srv/omoide/cold",
      "omoide-admin storage compare /srv/omoide/hot cold.manifest",
    ],
    exits: {
      [EXIT.OK]: "both hold the same (a file under another name counts as held)",
      [EXIT.ATTENTION]: "they differ: see the output",
    },
    need: "change",
    run: async ([givenA = "", givenB = ""], _options, { console }) => {
      const scratch = Scratch.open();
      drop("look");
      let entries = 0;
      const onName = () => {
        if (++entries % 4096 === 0) console.progress("comparing", entries, null, "names");
      };
      const strange = (path: string, why: string) => warn(`${path} ${why}`);
      const a = openSide(givenA, scratch, strange, onName);
      const b = openSide(givenB, scratch, strange, onName);
      if (a.owner.uuid === b.owner.uuid) {
        throw new UsageError(`${givenA} and ${givenB} are the same storage, ${a.owner.storage}`);
      }
      requireSameInbox(a.owner, b.owner);
      const listed: Difference[] = [];
      const result = await compare(a.entries, b.entries, scratch, (difference) => {
        if (listed.length < LISTED) listed.push(difference);
        console.say(sentence(difference, a.owner.storage, b.owner.storage));
      }, onName);
      console.result({ a: a.owner, b: b.owner, ...result, differences: listed });
      console.say(verdict(result, a.owner.storage, b.owner.storage));
      return exitCode(result);
    },
  });
}

function warn(text: string): void {
  console.error(`omoide-admin: ${text}`);
}

function openSide(
  given: string,
  scratch: Scratch,
  strange: (path: string, why: string) => void,
  onName: () => void,
): { owner: ManifestOwner; entries: Side<Compared> } {
  if (isFile(given)) {
    const manifest = readManifest(given);
    return { owner: manifest.owner, entries: manifest.entries() };
  }
  const { path, identity } = openRoot(given);
  return {
    owner: identity,
    entries: entriesOf(path, identity.prefixSize, scratch, strange, onName),
  };
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
  return `unknown: ${path} is a link to no object; \`storage verify\` tells more`;
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
    ? `SAME: ${a} and ${b} hold the same: ${[held, ...parts].join(", ")}.`
    : `DIFFERENT: ${[...parts, held].join(", ")}.`;
}

function exitCode({ missingInA, missingInB, different, unknown }: Comparison): ExitCode {
  return missingInA + missingInB + different + unknown === 0 ? EXIT.OK : EXIT.ATTENTION;
}
