import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { flipBit, identityOf, makeMedia, makeStorage, plant } from "../admin/support/tree.ts";
import { run } from "../lab/command.ts";
import { OWNER } from "../lab/hostile_tree.ts";
import { baseRuntime } from "../support/denort.ts";
import { requireTools } from "../support/require_tool.ts";

const SCRIPT = new URL("../../scripts/compile_admin.ts", import.meta.url).pathname;
const base = await baseRuntime();
const needs = requireTools([], { root: true });

Deno.test({
  ignore: needs.ignore || base === null,
  name:
    "the compiled tools give up root's rights too, and read another user's storage by a second process",
  fn: async () => {
    assert.ok(base);
    const directory = await Deno.makeTempDir({ prefix: "omoide-compiled-admin-" });
    try {
      Deno.chmodSync(directory, 0o711);
      const binary = `${directory}/omoide-admin`;
      const compiled = await new Deno.Command(base.deno, {
        args: ["run", "-A", "--no-check", SCRIPT, "--output", binary],
        env: { DENORT_BIN: base.denort, NO_COLOR: "1" },
        stdin: "null",
      }).output();
      assert.equal(compiled.code, 0, new TextDecoder().decode(compiled.stderr));
      // Only root can read it: whoever it becomes needs nothing of it any more.
      Deno.chmodSync(binary, 0o700);
      const inbox = randomUUID();
      const hot = makeStorage(directory, identityOf("hot", inbox));
      const cold = makeStorage(directory, identityOf("cold", inbox));
      const media = [makeMedia(), makeMedia()];
      for (const each of media) for (const root of [hot, cold]) plant(root, each);
      flipBit(`${hot}/${media[0]?.object}`);
      plant(cold, makeMedia());
      await run("chown", "-R", `${OWNER}:${OWNER}`, hot);
      await run("chown", "-R", `${OWNER + 1}:${OWNER + 1}`, cold);
      for (
        const [args, says] of [
          [["repair", hot, "--from", cold], /DONE: 1 name of hot repaired/],
          [["sync", "--from", cold, "--to", hot], /DONE: 1 file .* copied to hot/],
          [["compare", hot, cold], /SAME: .*3 files the same/],
          [["verify", hot], /GOOD: hot is intact/],
        ] as const
      ) {
        const { code, stdout, stderr } = await new Deno.Command(binary, {
          args: ["storage", ...args],
          stdin: "null",
        }).output();
        const said = new TextDecoder().decode(stdout), beside = new TextDecoder().decode(stderr);
        assert.equal(code, 0, said + beside);
        assert.match(said, says);
        assert.match(beside, /gave up root's rights: working as uid 4321, gid 4321, who owns/);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
