import assert from "node:assert/strict";
import { Random } from "../faults/lab/random.ts";
import { Template } from "../faults/lab/template.ts";
import type { World } from "../faults/lab/world.ts";

const IDLE = ["--poll-interval", "3600"];

type Scenario = (world: World, random: Random) => Promise<void>;

const scenarios: Record<string, Scenario> = {};

/** Makes something owed without the notification that sealing sends. */
async function oweInSilence(world: World, random: Random): Promise<void> {
  const client = await world.connect();
  await client.query("BEGIN");
  await client.query("SELECT omoide.submit_media($1, $2, 'content', 'jpg', 'bytes')", [
    random.uuid(),
    random.uuid(),
  ]);
  await client.query(
    "CREATE TEMP TABLE kept ON COMMIT PRESERVE ROWS AS SELECT * FROM omoide.delivery",
  );
  await client.query("DELETE FROM omoide.delivery");
  await client.query("COMMIT");
  // What a worker hears now is a walk over nothing; the deliveries come back without a word.
  await client.query("INSERT INTO omoide.delivery SELECT * FROM kept");
  await client.end();
}

scenarios["a worker that waits is woken by a sealed media, long before its next look"] = async (
  world,
  random,
) => {
  await using worker = world.start("hot", { args: IDLE });
  await world.becomes("hot", "idle");
  await world.submitMany(random, 3);
  await worker.says(/stored/);
};

scenarios["a worker finds by its own look what no notification told it"] = async (
  world,
  random,
) => {
  await using worker = world.start("hot", { args: ["--poll-interval", "1"] });
  await world.becomes("hot", "idle");
  await oweInSilence(world, random);
  await worker.says(/stored 1 media/);
};

scenarios["SIGHUP makes a worker look at the inbox now"] = async (world, random) => {
  await using worker = world.start("hot", { args: IDLE });
  await world.becomes("hot", "idle");
  await oweInSilence(world, random);
  worker.signal("SIGHUP");
  await worker.says(/stored 1 media/);
};

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  scenarios[`${signal} in the middle of work ends a worker with what was open finished`] = async (
    world,
    random,
  ) => {
    await world.submitMany(random, 400);
    await using worker = world.start("hot", { args: ["--batch-files", "20"] });
    await world.becomes("hot", "storing");
    worker.signal(signal);
    assert.equal((await worker.ended).code, 0, worker.output);
    assert.equal((await world.state("hot")).state, "stopped");
    await world.requireInvariants({ drained: false });
    await world.drainAll();
    await world.requireInvariants({ drained: true });
  };
}

scenarios["a worker tells its state, its free space and what it has stored"] = async (
  world,
  random,
) => {
  await using worker = world.start("hot", { args: IDLE });
  await world.submitMany(random, 5, () => 1000);
  await worker.says(/stored 5 media|stored 1 media/);
  await world.becomes("hot", "idle");
  worker.signal("SIGTERM");
  await worker.ended;
  const [status] = await world.query<Record<string, unknown>>(
    "SELECT state, version, free_bytes > 0 AS free, stored_media, stored_bytes, last_error " +
      "FROM omoide.worker_status WHERE storage = 'hot'",
  );
  assert.deepEqual(status, {
    state: "stopped",
    version: "0.1.0",
    free: true,
    stored_media: "5",
    stored_bytes: "5000",
    last_error: null,
  });
};

scenarios["with --log-format json every line is one JSON value"] = async (world, random) => {
  await world.submitMany(random, 2);
  const { code, output } = await world.drainOnce("hot", { args: ["--log-format", "json"] });
  assert.equal(code, 0, output);
  const lines = output.trim().split("\n").map((line) => JSON.parse(line) as { message: string });
  assert.ok(lines.some(({ message }) => message.startsWith("stored 2 media")), output);
};

scenarios[
  "--check says that all is well, stores nothing, and leaves the lock to the worker that has it"
] = async (world, random) => {
  await world.submitMany(random, 2);
  const { code, output } = await world.check("hot");
  assert.equal(code, 0, output);
  assert.match(output, /The worker of hot will run\./);
  assert.doesNotMatch(output, /FAIL/);
  assert.equal(await world.receipts("hot"), 0);
  await using worker = world.start("hot");
  await worker.says(/stored 2 media/);
  const beside = await world.check("hot");
  assert.equal(beside.code, 0, beside.output);
  assert.match(beside.output, /a worker holds it now/);
};

Deno.test("a worker in service", async (t) => {
  // One server for all: a second's wait for each of them adds up.
  await using template = await Template.make();
  for (const [name, scenario] of Object.entries(scenarios)) {
    await t.step(name, async () => {
      await using world = await template.world();
      await scenario(world, new Random(3));
    });
  }
});
