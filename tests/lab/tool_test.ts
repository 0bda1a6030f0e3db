import assert from "node:assert/strict";
import { requireTools } from "../support/require_tool.ts";
import { FUSEPY } from "./recorded_disk.ts";

const SCRIPT = new URL("../../scripts/test.ts", import.meta.url).pathname;
const DISK_DIES = new URL("support/disk_dies.ts", import.meta.url).pathname;
/** A hang would last for ever; a busy machine takes some seconds. */
const BOUND_MS = 60_000;

Deno.test({
  ...requireTools(["mkfs.xfs", "mkfs.ext4", FUSEPY], { root: true }),
  name: "a test whose disk has died fails at once with a sentence, and the run ends",
  fn: async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", SCRIPT, DISK_DIES],
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(BOUND_MS),
    }).output();
    const decoder = new TextDecoder();
    const said = decoder.decode(stdout) + decoder.decode(stderr);
    assert.equal(code, 1, said);
    assert.match(said, /The recorded disk ended in the middle of a test \(SIGKILL\)/);
  },
});
