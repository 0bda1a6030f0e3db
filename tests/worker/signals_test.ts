/** What ends a worker in the middle of its work, and what is left then. */
import assert from "node:assert/strict";
import { until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { WorkerProcess } from "../lab/worker_process.ts";
import type { World } from "../lab/world.ts";
import { OBJECT_DIRECTORIES } from "../lab/first_format.ts";

const template = sharedTemplate();
const MEDIA = 200;
const BATCH = ["--batch-files", "20"];

/**
 * Starts a worker and stops it in its third batch: a delivery in it is locked, so the acknowledgement
 * waits, however fast the machine is, until `letGo`.
 */
async function startHalfway(
  world: World,
): Promise<{ worker: WorkerProcess; letGo: () => Promise<void> }> {
  const submitted = await world.submitMany(
    new Random(3),
    MEDIA,
    (random) => random.between(0, 999),
  );
  const locker = await world.connect();
  await locker.query("BEGIN");
  await locker.query(
    "SELECT FROM omoide.delivery d JOIN omoide.storage s ON s.id = d.storage_id " +
      "WHERE s.name = 'hot' AND d.media_id = $1 FOR UPDATE OF d",
    [submitted[50]?.id],
  );
  const worker = world.start("hot", { args: BATCH });
  await until("its acknowledgement waits", async () => await waiting(world));
  return { worker, letGo: () => locker.end() };
}

async function waiting(world: World): Promise<boolean> {
  const rows = await world.query(
    "SELECT FROM pg_stat_activity WHERE usename = 'omoide_hot' AND wait_event_type = 'Lock' " +
      // A heartbeat waits too, for a sweep that has its row.
      "AND datname = current_database() AND query LIKE '%omoide.acknowledge%'",
  );
  return rows.length > 0;
}

/** Objects that no public name shows. */
function unpublished(root: string): string[] {
  return OBJECT_DIRECTORIES.flatMap((directory) =>
    [...Deno.readDirSync(`${root}/${directory}`)].map(({ name }) => `${directory}/${name}`)
  ).filter((path) => Deno.lstatSync(`${root}/${path}`).nlink === 1);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} in the middle of work ends a worker with what was open finished`, async () => {
    await using world = await template().world();
    const { worker, letGo } = await startHalfway(world);
    await using _ended = worker;
    assert.equal(await world.receipts("hot"), 40);
    worker.signal(signal);
    await letGo();
    await until("it has ended", () => worker.over);
    assert.equal((await worker.ended).code, 0, worker.output);
    assert.equal((await world.state("hot")).state, "stopped");
    const stored = await world.receipts("hot");
    assert.ok(stored >= 60, `what was open was not finished: ${stored} are stored`);
    assert.ok(stored < MEDIA, "the signal came too late, or was not heard");
    assert.deepEqual(unpublished(world.root("hot")), []);
    await world.requireInvariants({ drained: false });
    await world.drainAll();
    await world.requireInvariants({ drained: true });
  });
}

Deno.test("a second SIGTERM makes a worker leave at once, and the next one loses nothing", async () => {
  await using world = await template().world();
  const { worker, letGo } = await startHalfway(world);
  await using _ended = worker;
  // Two that come before the first was heard are one, and nothing tells when it was: so until it leaves.
  await until("it has left", () => {
    signalIfThere(worker, "SIGTERM");
    return worker.over;
  });
  assert.equal((await worker.ended).code, 128 + 15, worker.output);
  // It has not waited for its acknowledgement, which nobody has let go.
  assert.equal(await world.receipts("hot"), 40);
  assert.equal((await world.state("hot")).state, "storing");
  await letGo();
  await until("the server has noticed", async () => {
    const rows = await world.query(
      "SELECT FROM pg_stat_activity WHERE usename = 'omoide_hot' AND datname = current_database()",
    );
    return rows.length === 0;
  });
  await world.requireInvariants({ drained: false });
  assert.ok(await world.receipts("hot") < MEDIA);
  await world.drainAll();
  await world.requireInvariants({ drained: true });
  assert.equal(await world.receipts("hot"), MEDIA);
});

Deno.test("one SIGTERM ends a worker that only waits for its database, which is no failure", async () => {
  await using world = await template().world();
  await using worker = world.start("hot", { port: 1 });
  await worker.says(/waiting: Cannot reach the database/);
  worker.signal("SIGTERM");
  await until("it has ended", () => worker.over);
  assert.equal((await worker.ended).code, 0, worker.output);
});

function signalIfThere(worker: WorkerProcess, signal: Deno.Signal): void {
  try {
    worker.signal(signal);
  } catch (error) {
    // It has ended, and its last words are still being read.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
