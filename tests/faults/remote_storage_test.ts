/** A storage on a file system that is reached over a network: what is mounted, and a server that hangs. */
import assert from "node:assert/strict";
import { UNMEASURED } from "../../src/storage/file_systems.ts";
import { until } from "../lab/command.ts";
import { ForeignMount } from "../lab/foreign_mount.ts";
import { Random } from "../lab/random.ts";
import { FUSEPY } from "../lab/recorded_disk.ts";
import { admin, sharedTemplate } from "../lab/template.ts";
import { requireTools } from "../support/require_tool.ts";

const template = sharedTemplate();
const NEEDS = requireTools([FUSEPY], { root: true });

Deno.test({
  ...NEEDS,
  name: "a file system that was accepted in words carries a storage, and heartbeats while it hangs",
  fn: async (t) => {
    await using world = await template().world();
    const random = new Random(14);
    const [seen, control] = [await world.temporaryDirectory(), await world.temporaryFile()];
    await using mount = await ForeignMount.over(world.root("hot"), seen, "remote", control);
    const init = ["storage", "init", "hot", seen, "--database", world.server.url(world.database)];

    await t.step("it is refused until an administrator accepts it", async () => {
      const refused = await world.check("hot", { root: seen });
      assert.equal(refused.code, 4, refused.output);
      assert.match(refused.output, /^FAIL {2}file system: .* on FUSE, and its storage\.json does/m);
      await assert.rejects(admin(...init), new RegExp(`give --accept "${UNMEASURED}"`));
      assert.match(await admin(...init, "--accept", UNMEASURED), /is on fuse, accepted on 20/);
      const accepted = await world.check("hot", { root: seen });
      assert.equal(accepted.code, 0, accepted.output);
      assert.match(accepted.output, /^ok {4}file system: fuse, accepted on 20.*: keeps no more/m);
    });

    await using hot = world.start("hot", { root: seen });
    await using _cold = world.start("cold");
    await t.step("the worker stores, and says what was accepted", async () => {
      await world.submitMany(random, 20);
      await world.drained();
      await until("it is idle", async () => (await world.state("hot")).state === "idle");
      assert.match((await world.state("hot")).reason ?? "", /^on fuse, accepted on .*measured/);
    });

    await t.step("while no call is answered, its heartbeat says so", async () => {
      mount.behave("hang");
      try {
        await world.submitMany(random, 5);
        await until("it can be seen", async () => {
          const { state, reason } = await world.state("hot");
          return state === "storing" && /^the disk has not answered for/.test(reason ?? "");
        });
        assert.ok(await world.receipts("hot") < 25);
      } finally {
        // Not even SIGKILL ends a process whose question has reached the server.
        mount.behave("ok");
      }
      await world.drained();
      assert.equal(await world.receipts("hot"), 25);
      await hot.says(/the disk answers again/);
    });
    await world.requireInvariants();
    assert.equal((await hot.stop()).code, 0);
  },
});
