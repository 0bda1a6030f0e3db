import { integer, size } from "../../command_line.ts";
import { UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { GuardedTree } from "../../storage/admin/guarded_tree.ts";
import { HashPool } from "../../storage/admin/hash_pool.ts";
import { type Manifest, openManifest } from "../../storage/admin/manifest.ts";
import { proofOf } from "../../storage/admin/proof.ts";
import { prove } from "../../storage/admin/prove.ts";
import { count, showBytes } from "../../units.ts";
import { treeCommand } from "../command.ts";
import { PARALLEL } from "./storage_verify.ts";

interface Options {
  readonly manifest: string;
  readonly parallel: number;
  readonly rate?: number;
}

export const storageProve = treeCommand<Options, { readonly manifest: Manifest }>({
  usage: "prove <root>",
  summary: "read here every file that another storage's manifest lists",
  description:
    "Reads every file that a manifest of another storage lists, in this storage, and compares its bytes " +
    "with the manifest. Reads only, and needs no database. `storage purge --moved-to` deletes there only " +
    "what is proven here: with --json the result is the proof that it takes.",
  options: [
    ["!--manifest <file>", "what to read: a manifest of another storage"],
    ["--parallel <n>", "files to read at once", integer(1, 64), PARALLEL],
    ["--rate <size>", "read at most this much per second, such as 50M", size(1, 2 ** 40)],
  ],
  examples: [
    "omoide-admin storage prove /srv/omoide/hot --manifest old-hot.manifest",
    "omoide-admin storage prove /srv/omoide/hot --manifest old-hot.manifest --json > hot.proof",
  ],
  exits: {
    [EXIT.OK]: "this storage has every file of the manifest, with its bytes",
    [EXIT.ATTENTION]: "some are missing or differ: see the output",
  },
  need: "look",
  tree: ([root = ""]) => root,
  prepare: (_args, options) => ({ manifest: openManifest(options.manifest) }),
  run: async (_args, options, { console, signal, openRoot }, { manifest }) => {
    const { path, identity } = openRoot();
    if (manifest.owner.uuid === identity.uuid) {
      throw new UsageError(
        `${options.manifest} is a manifest of this very storage; give another's`,
      );
    }
    using pool = new HashPool(path, options.parallel, options.rate ?? 0, signal);
    const prefixSizes = { manifest: manifest.owner.prefixSize, here: identity.prefixSize };
    const onFile = (bytes: number) => console.progress("proving", bytes, null, "bytes");
    const report = await prove(
      new GuardedTree(path, identity.format),
      manifest.entries(),
      prefixSizes,
      pool,
      onFile,
    );
    const { files, bytes, unproven } = report;
    const proven = unproven.length === 0 && files > 0;
    console.result({ ...proofOf(identity, proven, report), bytes, unproven });
    for (const { path, why } of unproven) console.say(`not proven: ${path} ${why}`);
    const all = `${count(files, "file")} of ${manifest.owner.storage} (${manifest.owner.uuid})`;
    console.say(
      proven
        ? `PROVEN: ${identity.storage} (${identity.uuid}) has all ${all}, ${showBytes(bytes)} read.`
        : `NOT PROVEN: of ${all}, ${identity.storage} lacks ${
          unproven.length.toLocaleString("en-US")
        }.`,
    );
    return proven ? EXIT.OK : EXIT.ATTENTION;
  },
});
