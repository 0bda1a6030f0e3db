/** SIGKILL at random moments and at each system call of the storing of a media. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { pause } from "../lab/command.ts";
import { directoryOf, objectPath, parent, type Submitted } from "../lab/expected.ts";
import { NameWatcher } from "../lab/name_watcher.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { parseStrace } from "../lab/strace.ts";
import { sharedTemplate } from "../lab/template.ts";
import { KILLED } from "../lab/worker_process.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();
const STRACE = requireTools(["strace"]);

Deno.test({
  ...requireTools([]),
  name: "workers killed at random moments lose nothing, show nothing wrong, and park nothing",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    const before = await world.trees();
    await using watched = new AsyncDisposableStack();
    const watchers = world.storages
      .map(({ root }) => watched.use(new NameWatcher(root, world.expected)));
    const rounds = times(5, 110);
    let kills = 0;
    for (let round = 0; round < rounds; round++) {
      await world.submitMany(
        random,
        30,
        (random) => random.between(0, random.pick([200, 20_000, 1_500_000])),
      );
      await Promise.all(world.storages.map(async ({ name }) => {
        await killSoon(world, name, random);
        kills++;
      }));
      // Else the inbox would be full in the end.
      if (round % 25 === 24) await world.drainAll();
    }
    await world.drainAll();
    for (const watcher of watchers) assert.equal((await watcher.stop()).wrong.join("\n"), "");
    await world.requireInvariants({ before });
    console.log(`  ${kills} kills, ${world.expected.media.length} media`);
  },
});

async function killSoon(world: World, storage: string, random: Random): Promise<void> {
  // Now and then with time to get on: a media that is met by six deaths in a row is parked, and rightly so.
  const wait = random.between(0, random.pick([30, 300, 1_500]));
  await using worker = world.start(storage);
  await worker.says(/serving/);
  // The time is the fault.
  await pause(wait);
  await worker.kill();
}

/** Each system call of the storing of one media, by the path it concerns. */
const POINTS: readonly (readonly [calls: string, at: (media: Submitted) => string])[] = [
  ["mkdir,mkdirat", (media) => parent(directoryOf(media))],
  ["mkdir,mkdirat", directoryOf],
  ["openat", objectPath],
  ["write", objectPath],
  ["fdatasync", objectPath],
  ["link,linkat", objectPath],
  ["close", objectPath],
  ["openat", (media) => parent(objectPath(media))],
  ["fsync", (media) => parent(objectPath(media))],
  ["openat", directoryOf],
  ["fsync", directoryOf],
  ["fsync", (media) => parent(directoryOf(media))],
  ["fsync", (media) => media.mediaType],
];

Deno.test({
  ...STRACE,
  name: "a worker killed at each system call of a media's storing loses and parks nothing",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await using watcher = new NameWatcher(world.root("hot"), world.expected);
    let kills = 0;
    for (let round = 0; round < times(1, 20); round++) {
      for (const [calls, at] of POINTS) {
        const media = await submitOne(world, random);
        await world.submitMany(random, 3);
        const died = await world.drainOnce("hot", await killAt(world, calls, at(media)));
        assert.equal(died.code, KILLED, `not killed at ${calls} of ${at(media)}: ${died.output}`);
        kills++;
        const again = await world.drainOnce("hot");
        assert.equal(again.code, 0, again.output);
      }
    }
    await world.drainAll();
    assert.equal((await watcher.stop()).wrong.join("\n"), "");
    await world.requireInvariants();
    console.log(`  ${kills} kills at ${POINTS.length} system calls`);
  },
});

Deno.test({
  ...STRACE,
  name: "a worker killed at each message to the database loses and parks nothing",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    const log = await world.temporaryFile();
    const sends = ["sendto", "sendmsg", "writev"];
    await world.submitMany(random, 5);
    await world.drainOnce("hot", { trace: { log, calls: sends } });
    const messages = parseStrace(await Deno.readTextFile(log)).length;
    assert.ok(messages > 10);
    let kills = 0;
    for (let message = 1; message <= messages; message += times(3, 1)) {
      await world.submitMany(random, 5);
      const inject = [`${sends.join(",")}:signal=KILL:when=${message}`];
      const { code, output } = await world.drainOnce("hot", {
        trace: { log, calls: sends, inject },
      });
      // strace counts per thread: there may be no message of this number.
      assert.ok(code === KILLED || code === 0, output);
      if (code === KILLED) kills++;
    }
    assert.ok(kills >= 4, `${kills} kills at ${messages} messages`);
    await world.drainAll();
    await world.requireInvariants();
    console.log(`  ${kills} kills at ${messages} messages`);
  },
});

Deno.test({
  ...STRACE,
  name: "a media that kills the worker each time is parked, and the rest drains",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await world.submitMany(random, 5);
    const deadly = await submitOne(world, random);
    await world.submitMany(random, 5);
    const deaths = await killAt(world, "openat", objectPath(deadly));
    let died = 0;
    let last = await world.drainOnce("hot", deaths);
    for (; last.code === KILLED && died < 20; died++) last = await world.drainOnce("hot", deaths);
    assert.equal(last.code, 6, last.output);
    // The first death is in a batch, and counts against nobody; then the media goes alone.
    assert.ok(died >= 6 && died <= 8, `died ${died} times: ${last.output}`);
    await world.drainOnce("cold");
    const left = await world.query<{ media_id: string; last_error: string; parked: boolean }>(
      "SELECT media_id, last_error, parked_at IS NOT NULL AS parked FROM omoide.owed",
    );
    assert.deepEqual(left.map(({ media_id, parked }) => [media_id, parked]), [[
      `${deadly.id}`,
      true,
    ]]);
    assert.match(left[0]?.last_error ?? "", /died 6 times/);
    await world.requireInvariants({ drained: false });
    console.log(`  parked after ${died} deaths`);
  },
});

async function submitOne(world: World, random: Random): Promise<Submitted> {
  const name = { ownerUuid: random.uuid(), itemUuid: random.uuid() };
  return await world.submit(random.bytes(random.between(1, 20_000)), name);
}

/** A worker under strace that is killed as it makes this call about this path. */
async function killAt(world: World, calls: string, path: string) {
  return {
    trace: {
      log: await world.temporaryFile(),
      calls: calls.split(","),
      inject: [`${calls}:signal=KILL`],
      paths: [join(world.root("hot"), path)],
    },
    args: ["--writers", "1"],
  };
}
