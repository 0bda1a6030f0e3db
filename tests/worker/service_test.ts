import assert from "node:assert/strict";
import { until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { Template } from "../lab/template.ts";
import type { WorkerProcess } from "../lab/worker_process.ts";
import type { World } from "../lab/world.ts";

const IDLE = ["--poll-interval", "3600"];

type Scenario = (world: World, random: Random) => Promise<void>;

const scenarios: Record<string, Scenario> = {};

/**
 * Starts a worker, and waits until it has walked in vain and waits. It reports "idle" before its first walk
 * too, so it gets something to store: the "idle" after that comes when nothing is left.
 */
async function startIdle(world: World, random: Random, args: string[]): Promise<WorkerProcess> {
  await world.submitMany(random, 1);
  const worker = world.start("hot", { args });
  await until("it has stored", async () => await world.receipts("hot") === 1);
  await world.becomes("hot", "idle");
  return worker;
}

/**
 * Makes something owed that no notification announces. What the application calls sends one, and a walk
 * that begins a moment later would find the media whether or not anything else wakes the worker; so an
 * empty media, which needs no chunks, is written straight into the tables.
 */
async function oweInSilence(world: World, random: Random): Promise<void> {
  await world.query(
    `WITH made AS (
       INSERT INTO omoide.media (owner_uuid, item_uuid, media_type, ext, size, sha256,
         has_plain_name, holds_name, sealed_at)
       VALUES ($1, $2, 'content', 'jpg', 0, sha256(''), true, true, now()) RETURNING id
     ), waiting AS (
       INSERT INTO omoide.waiting SELECT id, 0, 0 FROM made
     )
     INSERT INTO omoide.delivery (storage_id, media_id, size)
     SELECT s.id, made.id, 0 FROM omoide.storage s, made WHERE s.name = 'hot'`,
    [random.uuid(), random.uuid()],
  );
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

scenarios["a worker finds by its own look what no notification announced"] = async (
  world,
  random,
) => {
  await using _worker = await startIdle(world, random, ["--poll-interval", "1"]);
  await oweInSilence(world, random);
  await until("it is stored", async () => await world.receipts("hot") === 2);
};

scenarios["SIGHUP makes a worker look at the inbox now"] = async (world, random) => {
  await using worker = await startIdle(world, random, IDLE);
  await oweInSilence(world, random);
  assert.equal(await world.receipts("hot"), 1);
  worker.signal("SIGHUP");
  await until("it is stored", async () => await world.receipts("hot") === 2);
};

scenarios["a worker reports its state, its free space and what it has stored"] = async (
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
