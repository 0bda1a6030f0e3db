import { EXIT } from "../../exit_codes.ts";
import { locate } from "../../storage/admin/located_tree.ts";
import { tryTwoMounts } from "../../storage/admin/two_mounts.ts";
import { treeCommand } from "../command.ts";

export const storageMounts = treeCommand<Record<never, never>, { readonly second: string }>({
  usage: "mounts <root> <second>",
  summary: "try from two mounts what workers on two machines rely on",
  description:
    "ROOT and SECOND are the same storage on a distributed file system, mounted twice, at best as the " +
    "other machine would mount it. Creates and links names from both at once, and looks at what the " +
    "other sees: new names, bytes, locks. The worker's --check cannot, as it may reach one root alone. " +
    "Whether an fsync reaches a disk can be tried by neither. May run beside workers; leaves probes for " +
    "`storage sweep`.",
  options: [],
  examples: ["omoide-admin storage mounts /srv/omoide/hot /mnt/again/hot"],
  exits: {
    [EXIT.OK]: "everything that was tried works",
    [EXIT.ATTENTION]: "something does not: let no two machines work on this storage",
  },
  need: "change",
  tree: ([root = ""]) => root,
  prepare: ([, second = ""]) => ({ second: locate(second).path }),
  run: async (_args, _options, { console, path }, { second }) => {
    const results = await tryTwoMounts(path, second);
    const ok = results.every((each) => each.ok);
    console.result({ root: path, second, ok, results });
    for (const each of results) {
      console.say(`${each.ok ? "ok   " : "FAIL "} ${each.name}: ${each.detail}`);
    }
    console.say(
      ok
        ? "Two machines may work on this storage."
        : "No two machines may work on this storage: see what is marked FAIL.",
    );
    return ok ? EXIT.OK : EXIT.ATTENTION;
  },
});
