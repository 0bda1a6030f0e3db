/** A scrub beside the worker of the same storage, both as they are started. */
import assert from "node:assert/strict";
import { until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { requireTools } from "../support/require_tool.ts";
import { scrubOnce, startScrub } from "./support/scrub_process.ts";
import { store } from "./support/stored.ts";

const template = sharedTemplate();
const COUNT = 12;
/** Bytes per second at the most: an object of 3,000 bytes in 0.09 s. */
const RATE = 32 * 1024;

Deno.test({
  ...requireTools(["strace"]),
  name: "while the worker of its storage is storing, a scrub takes a quarter of its pace",
  async fn() {
    await using world = await template().world();
    await store(world, COUNT);
    assert.equal((await scrubOnce(world)).code, 0);
    // Of a scrub's two looks only the one at the bytes is due.
    await world.query(
      "UPDATE omoide.look SET last_started_at = now() - interval '40 days' WHERE depth = 'deep'",
    );
    // One after the other, a second for each: it is still at it when the look has ended.
    await world.submitMany(new Random(1), 200, () => 100);
    const trace = {
      log: await world.temporaryFile(),
      calls: ["fdatasync"],
      inject: ["fdatasync:delay_enter=1000000"],
    };
    await using worker = world.start("hot", { trace, args: ["--batch-files", "1"] });
    const isStoring = async () => (await world.state("hot")).state === "storing";
    await until("the worker is storing", isStoring);

    await using scrub = await startScrub(world, { args: ["--rate", String(RATE)] });
    await scrub.says(/looked at every byte/);
    assert.ok(await isStoring(), "it was storing all the while");
    const [took] = await world.query<{ ms: number; bytes: number }>(
      "SELECT (extract(epoch FROM finished_at - last_started_at) * 1000)::float8 AS ms, " +
        "finished_bytes::float8 AS bytes FROM omoide.look WHERE depth = 'deep'",
    );
    assert.ok(took && took.bytes >= COUNT * 3000);
    // How much longer nobody promises; the first object is not waited for any more than the last.
    const leastMs = (took.bytes - 2 * 3100) / (RATE / 4) * 1000;
    assert.ok(took.ms >= leastMs, `${took.ms} ms instead of ${leastMs}`);
    await worker.kill();
  },
});
