import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import {
  CHECK_UNIT,
  GATEWAY_UNIT,
  MONITOR_UNIT,
  sandboxOf,
  SCRUB_UNIT,
  WATCH_UNIT,
  WORKER_UNIT,
} from "./support/unit_files.ts";

const NEEDS_ANALYZE = requireTools(["systemd-analyze"]);

const SANDBOXED = [WORKER_UNIT, CHECK_UNIT, GATEWAY_UNIT, SCRUB_UNIT, MONITOR_UNIT];

for (const unit of [...SANDBOXED, WATCH_UNIT]) {
  Deno.test({
    ...NEEDS_ANALYZE,
    name: `systemd finds nothing wrong in ${basename(unit)}`,
    async fn() {
      const directory = await Deno.makeTempDir();
      try {
        const copy = join(directory, basename(unit).replace("@", "@hot"));
        // The program need not be installed where the tests run.
        const text = await Deno.readTextFile(unit);
        await Deno.writeTextFile(copy, text.replace(/^ExecStart=\S+/m, "ExecStart=/bin/true"));
        const { code, stderr } = await analyze("verify", copy);
        assert.equal(stderr, "", "an unknown key is only a warning");
        assert.equal(code, 0);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

for (const unit of SANDBOXED) {
  Deno.test({
    ...NEEDS_ANALYZE,
    name: `the exposure of ${basename(unit)} is 1.1 or lower`,
    async fn() {
      const { code, stdout } = await analyze("security", "--offline=true", "--threshold=11", unit);
      assert.equal(code, 0, stdout);
    },
  });
}

Deno.test("the check runs in exactly the worker's sandbox", async () => {
  assert.deepEqual(await sandboxOf(CHECK_UNIT), await sandboxOf(WORKER_UNIT));
});

Deno.test({
  ...NEEDS_ANALYZE,
  name: "the units of another cell's gateway and monitor share nothing with the first one's",
  async fn() {
    const chapter = await Deno.readTextFile(
      new URL("../../scripts/deploy/CELLS.md", import.meta.url),
    );
    const [recipe] = /^ {4}for unit in gateway monitor; do$.*?^ {4}done$/ms.exec(chapter) ?? [];
    assert.ok(recipe !== undefined, "the chapter has no such recipe any more");
    const directory = await Deno.makeTempDir();
    try {
      const script = recipe.replaceAll("deploy/systemd", dirname(GATEWAY_UNIT))
        .replaceAll("/etc/systemd/system", directory);
      assert.equal((await new Deno.Command("sh", { args: ["-ec", script] }).output()).code, 0);
      for (const [unit, first] of [["gateway", GATEWAY_UNIT], ["monitor", MONITOR_UNIT]] as const) {
        const path = join(directory, `omoide-${unit}-tokyo.service`);
        const settings = (text: string) => text.split("\n").filter((line) => !line.startsWith("#"));
        const [own, others] = [path, first].map((each) => settings(Deno.readTextFileSync(each)));
        const named = own?.filter((line) => !others?.includes(line)) ?? [];
        assert.deepEqual(named.sort(), [
          `BindReadOnlyPaths=/usr/local/bin/omoide-${unit}-tokyo`,
          `ExecStart=/usr/local/bin/omoide-${unit}-tokyo --log-format json`,
          `Group=omoide-${unit}-tokyo`,
          `StandardInput=file:/etc/omoide/${unit}-tokyo.password`,
          `User=omoide-${unit}-tokyo`,
        ]);
        const { code, stdout } = await analyze(
          "security",
          "--offline=true",
          "--threshold=11",
          path,
        );
        assert.equal(code, 0, stdout);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function analyze(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
    args: [...args, "--no-pager"],
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
