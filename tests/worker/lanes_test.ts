/** Several workers of one storage, each with its share of the lanes. */
import assert from "node:assert/strict";
import { holdStorage } from "../../src/storage/admin/open_for_admin.ts";
import { pause, until } from "../lab/command.ts";
import { countObjects, setNumberOfLanes, shared } from "../lab/lanes.ts";
import { Random } from "../lab/random.ts";
import { admin, sharedTemplate } from "../lab/template.ts";
import type { WorkerProcess } from "../lab/worker_process.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

/** Small, so that lanes change hands in the middle of what is owed. */
const SMALL = ["--batch-files", "4"];

/** Starts workers of hot, one after the other: each is connected when the next one is. */
async function startWorkers(world: World, count: number): Promise<WorkerProcess[]> {
  const workers: WorkerProcess[] = [];
  for (let n = 0; n < count; n++) {
    const worker = world.start("hot", { args: SMALL });
    workers.push(worker);
    await worker.says(/serving|standing by/);
  }
  return workers;
}

async function endAll(workers: readonly WorkerProcess[]): Promise<void> {
  for (const worker of workers) await worker[Symbol.asyncDispose]();
}

/** Submits until asked to stop. */
function submitting(world: World, random: Random) {
  let isOver = false;
  const done = (async () => {
    while (!isOver) await world.submitMany(random, 5);
  })();
  return async () => {
    isOver = true;
    await done;
  };
}

for (const [lanes, count] of [[2, 2], [8, 3]] as const) {
  Deno.test(`${count} workers carry to ${lanes} lanes, each media once`, async () => {
    await using world = await template().world();
    const random = new Random(lanes);
    await setNumberOfLanes(world, "hot", lanes);
    const workers = await startWorkers(world, count);
    try {
      await shared(world, "hot", lanes === 2 ? [1, 1] : [3, 3, 2]);
      await world.submitMany(random, 120);
      await until("hot has everything", async () => await world.receipts("hot") === 120);
      for (const worker of workers) await worker.says(/stored/);
      assert.equal(await countObjects(world.root("hot")), 120);
      await world.drainOnce("cold");
      await world.drained();
      await world.requireInvariants();
      for (const worker of workers) assert.equal((await worker.stop()).code, 0, worker.output);
    } finally {
      await endAll(workers);
    }
  });
}

Deno.test("the number of lanes changes while workers run, and each media is stored once", async () => {
  await using world = await template().world();
  const random = new Random(4);
  const workers = await startWorkers(world, 3);
  const stop = submitting(world, random);
  try {
    await shared(world, "hot", [1]);
    for (
      const [lanes, wanted] of [[8, [3, 3, 2]], [2, [1, 1]], [3, [1, 1, 1]], [1, [1]]] as const
    ) {
      await setNumberOfLanes(world, "hot", lanes);
      await shared(world, "hot", wanted);
    }
    await stop();
    const count = world.expected.media.length;
    await until("hot has everything", async () => await world.receipts("hot") === count);
    assert.equal(await countObjects(world.root("hot")), count);
    await world.requireInvariants({ drained: false });
  } finally {
    await stop();
    await endAll(workers);
  }
});

Deno.test("a killed worker's media are taken over within seconds, a new one gets its share", async () => {
  await using world = await template().world();
  const random = new Random(5);
  await setNumberOfLanes(world, "hot", 4);
  const workers = await startWorkers(world, 2);
  try {
    await shared(world, "hot", [2, 2]);
    const stop = submitting(world, random);
    await until("both store", async () => await world.receipts("hot") > 20);
    await workers.pop()?.kill();
    const began = performance.now();
    await shared(world, "hot", [4]);
    assert.ok(performance.now() - began < 10_000);
    await stop();
    workers.push(...await startWorkers(world, 1));
    await shared(world, "hot", [2, 2]);
    await world.submitMany(random, 20);
    await world.drainOnce("cold");
    await world.drained();
    await world.requireInvariants();
  } finally {
    await endAll(workers);
  }
});

Deno.test("a worker that is stopped past its session finds its lanes taken, and harms nothing", async () => {
  await using world = await template().world();
  const random = new Random(6);
  await setNumberOfLanes(world, "hot", 2);
  const workers = await startWorkers(world, 2);
  const [frozen] = workers as [WorkerProcess];
  try {
    await shared(world, "hot", [1, 1]);
    const stop = submitting(world, random);
    await until("both store", async () => await world.receipts("hot") > 20);
    frozen.signal("SIGSTOP");
    // A minute later.
    await world.query(
      "UPDATE omoide.worker SET seen_at = seen_at - interval '1 minute' " +
        "WHERE started_at = (SELECT min(started_at) FROM omoide.worker WHERE storage_id = 1)",
    );
    await shared(world, "hot", [2]);
    await stop();
    const count = world.expected.media.length;
    await until("the other has stored all", async () => await world.receipts("hot") === count);
    frozen.signal("SIGCONT");
    await shared(world, "hot", [1, 1]);
    await world.submitMany(random, 20);
    await world.drainOnce("cold");
    await world.drained();
    await world.requireInvariants();
  } finally {
    frozen.signal("SIGCONT");
    await endAll(workers);
  }
});

Deno.test("tools are refused while lanes are carried, and workers wait while a tool has the storage", async () => {
  await using world = await template().world();
  await setNumberOfLanes(world, "hot", 2);
  const workers = await startWorkers(world, 2);
  const root = world.root("hot");
  const sweep = () => admin("storage", "sweep", root, "--yes");
  try {
    await assert.rejects(sweep(), /holds the storage/);
    await workers.pop()?.stop();
    await assert.rejects(sweep(), /holds the storage/);
    await workers.pop()?.stop();
    await sweep();
    {
      using _tool = await holdStorage(root);
      workers.push(...await startWorkers(world, 2));
      await pause(500);
      for (const worker of workers) assert.doesNotMatch(worker.output, /serving/);
    }
    await shared(world, "hot", [1, 1]);
  } finally {
    await endAll(workers);
  }
});
