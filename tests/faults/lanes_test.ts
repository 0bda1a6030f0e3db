/** Several workers of one storage: the promises hold while they die, are cut off, fill the disk, or lose it. */
import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { until } from "../lab/command.ts";
import { setNumberOfLanes, shared } from "../lab/lanes.ts";
import { Mount } from "../lab/mount.ts";
import { NameWatcher } from "../lab/name_watcher.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { Shelf } from "../lab/shelf.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { WorkerProcess } from "../lab/worker_process.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

const MiB = 1024 * 1024;

for (const lanes of [2, 8]) {
  Deno.test({
    ...requireTools([]),
    name: `workers of ${lanes} lanes that are killed and cut off lose nothing, and park nothing`,
    fn: async () => {
      const random = new Random(options.seed + lanes);
      await using world = await template().world();
      const before = await world.trees();
      await using watcher = new NameWatcher(world.root("hot"), world.expected);
      await setNumberOfLanes(world, "hot", lanes);
      const workers = [world.start("hot"), world.start("hot"), world.start("hot")];
      try {
        for (const worker of workers) await worker.says(/serving|standing by/);
        for (let round = 0; round < times(4, 100); round++) {
          await world.submitMany(
            random,
            25,
            (random) => random.between(0, random.pick([200, 20_000, 1_500_000])),
          );
          if (round % 2 === 0) {
            const at = random.below(workers.length);
            await workers[at]?.kill();
            workers[at] = world.start("hot");
          } else {
            await cutAll(world);
          }
          // Now and then another number, and back: in the middle of it all.
          if (round % 3 === 1) await setNumberOfLanes(world, "hot", random.between(1, 9));
          if (round % 3 === 2) await setNumberOfLanes(world, "hot", lanes);
        }
        await setNumberOfLanes(world, "hot", lanes);
        await shared(world, "hot", lanes === 2 ? [1, 1] : [3, 3, 2]);
        await world.drainOnce("cold");
        await world.drained();
        assert.equal((await watcher.stop()).wrong.join("\n"), "");
        await world.requireInvariants({ before });
      } finally {
        for (const worker of workers) await worker[Symbol.asyncDispose]();
      }
    },
  });
}

/** Ends every connection of hot's workers, at the server. */
async function cutAll(world: World): Promise<void> {
  await world.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
      "WHERE datname = current_database() AND usename = 'omoide_hot'",
  );
}

Deno.test({
  ...requireTools(["mkfs.ext4", "losetup"], { root: true }),
  name:
    "a full disk pauses every worker of a storage, counts against no media, and passes by itself",
  fn: async () => {
    const random = new Random(options.seed);
    await using shelf = await Shelf.open();
    const image = await shelf.format("disk.img", "ext4", "320M");
    await using disk = await Mount.at(image, join(shelf.directory, "disk"));
    await using world = await template().world({ hot: join(disk.path, "root") });
    await setNumberOfLanes(world, "hot", 4);
    await using first = world.start("hot", { args: ["--reserve", "0"] });
    await using second = world.start("hot", { args: ["--reserve", "0"] });
    await shared(world, "hot", [2, 2]);
    await fill(disk, 5 * MiB);
    const count = (await world.submitMany(random, 60, () => 300_000)).length;
    await until("both are paused", async () => {
      const states = await world.query<{ state: string }>(
        "SELECT state FROM omoide.lane_status WHERE storage = 'hot'",
      );
      return states.length === 4 && states.every(({ state }) => state === "paused");
    });
    assert.ok(await world.receipts("hot") < count);
    const counted = await world.query("SELECT FROM omoide.owed WHERE attempts > 0");
    assert.equal(counted.length, 0);
    // A paused worker can still give its lanes, all of them.
    assert.equal((await second.stop()).code, 0);
    await shared(world, "hot", [4]);
    await Deno.remove(join(disk.path, "filler"));
    await world.drainOnce("cold");
    await world.drained();
    assert.ok(await countUnlinked(world.root("hot")) <= 2, "more than one orphan of each worker");
    await world.requireInvariants();
    assert.equal((await first.stop()).code, 0);
  },
});

/** Leaves so many bytes free. */
async function fill(disk: Mount, free: number): Promise<void> {
  using file = await Deno.open(join(disk.path, "filler"), { write: true, createNew: true });
  const left = () => {
    const { bavail, bsize } = statfsSync(disk.path);
    return bavail * bsize;
  };
  while (left() > free + MiB) {
    await file.write(new Uint8Array(MiB));
    await file.syncData();
  }
}

async function countUnlinked(root: string): Promise<number> {
  let count = 0;
  const objects = join(root, ".omoide/objects");
  for await (const directory of Deno.readDir(objects)) {
    for await (const { name } of Deno.readDir(join(objects, directory.name))) {
      if ((await Deno.lstat(join(objects, directory.name, name))).nlink === 1) count++;
    }
  }
  return count;
}

Deno.test({
  ...requireTools(["strace"]),
  name: "a disk that fails one worker stops every worker of its storage",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await setNumberOfLanes(world, "hot", 2);
    const log = await world.temporaryFile();
    await using failing: WorkerProcess = world.start("hot", {
      trace: { log, calls: ["fdatasync"], inject: ["fdatasync:error=EIO"] },
    });
    await failing.says(/serving/);
    await using sound = world.start("hot");
    await shared(world, "hot", [1, 1]);
    await world.submitMany(random, 6);
    assert.equal((await failing.ended).code, 5, failing.output);
    const acknowledged = await world.receipts("hot");
    assert.equal((await sound.ended).code, 5, sound.output);
    assert.equal(await world.receipts("hot"), acknowledged);
    await world.requireInvariants({ drained: false });
  },
});
