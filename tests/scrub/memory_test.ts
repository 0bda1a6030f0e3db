import assert from "node:assert/strict";
import { times } from "../lab/options.ts";

/** V8 and the runtime alone take 60. */
const BOUND_MIB = 250;

Deno.test({
  ignore: Deno.build.os !== "linux",
  name: "a look holds a page of receipts and the names of a directory, however many there are",
  async fn() {
    const names = times(30_000, 10_000_000);
    const program = new URL("./support/many_names.ts", import.meta.url).pathname;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", program, String(names)],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    assert.equal(code, 0, decoder.decode(stderr));
    const { asked, found, peakMiB } = JSON.parse(decoder.decode(stdout));
    assert.deepEqual({ asked, found }, { asked: names, found: 0 });
    assert.ok(peakMiB < BOUND_MIB, `${peakMiB} MiB`);
  },
});
