import assert from "node:assert/strict";
import { basename, join } from "node:path";
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

async function analyze(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
    args: [...args, "--no-pager"],
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
