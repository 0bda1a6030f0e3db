import { time, uuid } from "../../command_line.ts";
import { EXIT } from "../../exit_codes.ts";
import { entriesOf, type Entry } from "../../storage/admin/entries.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { manifestHead, manifestLine } from "../../storage/admin/manifest.ts";
import { ownerIn } from "../../storage/layout.ts";
import { count } from "../../units.ts";
import { treeCommand } from "../command.ts";

interface Options {
  readonly owner?: string;
  readonly since?: number;
  readonly until?: number;
  readonly json?: boolean;
}

export const storageManifest = treeCommand<Options>({
  usage: "manifest <root>",
  summary: "list a storage's files with their checksums",
  description:
    "Prints every public file of a storage with checksum, size, object and time, sorted by path: " +
    "for `storage compare` with a storage on another machine, for `storage purge`, and for " +
    "keeping. Reads names, not bytes (`storage verify` does), and needs no database.",
  options: [
    ["--owner <uuid>", "only what belongs to this owner", uuid],
    [
      "--since <time>",
      "only what was written at or after this time: 2026-11-22T08:00, in UTC unless it has a zone",
      time,
    ],
    ["--until <time>", "only what was written before this time", time],
  ],
  examples: [
    "omoide-admin storage manifest /srv/omoide/hot > hot.manifest",
    "omoide-admin storage manifest /srv/omoide/hot --owner 0b7c… --since 2026-11-20T00:00:00Z",
  ],
  exits: {
    [EXIT.ATTENTION]: "a public file could not be listed: it is a link to no object",
  },
  need: "look",
  tree: ([root = ""]) => root,
  run: async (_args, options, { console, signal, openRoot }) => {
    const root = openRoot();
    const wanted = filter(options);
    let unlisted = 0, text = manifestHead(root.identity, new Date());
    const entries: Entry[] = [];
    const walking = console.walking("listing");
    const { prefixSize } = root.identity;
    const found = entriesOf(new GuardedTree(root.path, root.identity.format), prefixSize, {
      signal,
      ...walking,
      onHiddenLinks: (why) => walking.strange(root.path, why),
    });
    for await (const entry of found) {
      if (!wanted(entry)) continue;
      const line = manifestLine(entry);
      if (line === null) {
        unlisted++;
        console.remark(
          `${entry.path} is a link to no object, so nothing says what its bytes should be`,
        );
      } else if (options.json === true) {
        entries.push(entry);
      } else {
        text += line;
        if (text.length > 64 * 1024) [text] = ["", console.raw(text)];
      }
    }
    if (options.json === true) console.result({ ...root.identity, entries });
    else console.raw(text);
    if (unlisted === 0) return EXIT.OK;
    console.remark(`${count(unlisted, "public file")} not listed; see \`storage verify\``);
    return EXIT.ATTENTION;
  },
});

function filter(
  { owner, since = -Infinity, until = Infinity }: Options,
): (entry: Entry) => boolean {
  return ({ path, writtenAt }) =>
    (owner === undefined || ownerIn(path) === owner) && writtenAt >= since &&
    writtenAt < until;
}
