/** SIGKILL at random moments and at each system call of the storing of a media. */
import { strictEqual } from "node:assert/strict";
import { requireTools } from "../support/require_tool.ts";
import { pause } from "./lab/command.ts";
import { NameWatcher } from "./lab/name_watcher.ts";
import { options, times } from "./lab/options.ts";
import { Random } from "./lab/random.ts";
import { sharedTemplate } from "./lab/template.ts";
import type { World } from "./lab/world.ts";

const template = sharedTemplate();

Deno.test({
  ...requireTools([]),
  name: "workers killed at random moments lose nothing, show nothing wrong, and park nothing",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    const before = await world.trees();
    const watchers = world.storages.map(({ root }) => new NameWatcher(root, world.expected));
    const rounds = times(15, 250);
    for (let round = 0; round < rounds; round++) {
      await world.submitMany(
        random,
        30,
        (random) => random.between(0, random.pick([200, 3_000_000])),
      );
      await Promise.all(world.storages.map(({ name }) => killSoon(world, name, random)));
    }
    await world.drainAll();
    for (const watcher of watchers) strictEqual((await watcher.stop()).wrong.join("\n"), "");
    await world.requireInvariants({ before });
    console.log(`  ${rounds * world.storages.length} kills, ${world.expected.media.length} media`);
  },
});

async function killSoon(world: World, storage: string, random: Random): Promise<void> {
  const wait = random.between(0, 150);
  await using worker = world.start(storage);
  await worker.says(/serving/);
  // The time is the fault.
  await pause(wait);
  await worker.kill();
}
