/** Workers beside each other: of one storage, of several, absent for long, sent to the wrong place. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openInbox } from "../../src/inbox/admin/inbox.ts";
import { retireStorage } from "../../src/inbox/admin/storages.ts";
import { requireTools } from "../support/require_tool.ts";
import { pause, until } from "../lab/command.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { addStorage, sharedTemplate } from "../lab/template.ts";
import { readTree } from "../lab/tree.ts";

const template = sharedTemplate();

const LINUX = requireTools([]);

Deno.test({
  ...LINUX,
  name: "of two workers of one storage one stands by, and takes over within seconds of a death",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    let active = world.start("hot");
    await active.says(/serving/);
    try {
      for (let death = 0; death < times(3, 30); death++) {
        const standby = world.start("hot");
        await standby.says(/standing by/);
        // So long that its pauses have grown.
        if (death === 0) await pause(times(4_000, 60_000));
        await world.submitMany(random, 20);
        assert.ok(!/serving/.test(standby.output));
        const begun = performance.now();
        await active.kill();
        active = standby;
        await active.says(/serving/);
        const seconds = (performance.now() - begun) / 1000;
        assert.ok(seconds < 10, `took over after ${seconds.toFixed(1)} s`);
        console.log(`  took over after ${seconds.toFixed(1)} s`);
      }
      await world.drainOnce("cold");
      await world.drained();
      await world.requireInvariants();
    } finally {
      await active[Symbol.asyncDispose]();
    }
  },
});

Deno.test({
  ...LINUX,
  name: "a worker sent to another storage's root, or logged in as another, changes nothing",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await world.submitMany(random, 5);
    const before = await world.trees();
    const swapped = await world.drainOnce("hot", { root: world.root("cold") });
    assert.equal(swapped.code, 4, swapped.output);
    assert.match(
      swapped.output,
      /is the storage cold \([0-9a-f-]{36}\), not hot; see --root and --storage/,
    );
    const pretending = await world.drainOnce("hot", {
      root: world.root("cold"),
      storage: "cold",
      role: "omoide_hot",
    });
    assert.equal(pretending.code, 4, pretending.output);
    const after = await world.trees();
    for (const [name, tree] of before) assert.equal(after.get(name)?.size, tree.size);
    assert.equal(await world.receipts("hot") + await world.receipts("cold"), 0);
  },
});

Deno.test({
  ...LINUX,
  name:
    "while a storage is absent for a week the inbox fills, refuses clearly, and drains on its return",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await world.query("UPDATE omoide.settings SET max_inbox_bytes = 5000000");
    await using hot = world.start("hot");
    await hot.says(/serving/);
    let refused: { code?: string; message: string } | undefined;
    while (refused === undefined) {
      await world.submitMany(random, 1, () => 200_000).catch((error) => refused = error);
    }
    assert.equal(refused.code, "OM001");
    assert.match(refused.message, /full/);
    const submitted = world.expected.media.length;
    await until("hot holds all", async () => await world.receipts("hot") === submitted);
    // A week later.
    await world.query(
      "UPDATE omoide.media SET sealed_at = sealed_at - interval '7 days'",
    );
    await world.query("UPDATE omoide.stored SET stored_at = stored_at - interval '7 days'");
    await world.query("UPDATE omoide.ledger SET day = day - 7");
    await assert.rejects(world.submitMany(random, 1, () => 200_000), { code: "OM001" });
    assert.equal(await world.receipts("hot"), submitted);
    assert.equal((await world.query("SELECT FROM omoide.owed WHERE attempts > 0")).length, 0);
    await using cold = world.start("cold");
    await world.drained();
    await world.submitMany(random, 5);
    await world.drained();
    await world.requireInvariants();
    assert.equal((await cold.stop()).code, 0);
  },
});

Deno.test({
  ...LINUX,
  name:
    "a storage added in the middle of a run gets all that is still there, one retired nothing more",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await using _hot = world.start("hot");
    await world.submitMany(random, 50);
    const submitting = world.submitMany(random, 200);
    const root = join(world.root("hot"), "..", "third");
    await addStorage(await world.superuser(), "third", root);
    await submitting;
    {
      await using _cold = world.start("cold");
      await until("cold has everything", async () => await world.receipts("cold") === 250);
      const [kept] = await world.query<{ kept: number }>(
        "SELECT count(*)::int AS kept FROM omoide.waiting",
      );
      assert.ok((kept?.kept ?? 0) >= 200);
      await using third = world.start("third", { root });
      await world.drained();
      assert.ok(await world.receipts("third") >= 200);
      assert.equal((await third.stop()).code, 0);
    }
    await world.requireInvariants();
    const before = await readTree(root);
    await world.submitMany(random, 20);
    await using inbox = await openInbox(template().server.url(world.database));
    await retireStorage(inbox, "third", false);
    await world.submitMany(random, 20);
    const { code, output } = await world.drainOnce("third", { root });
    assert.equal(code, 4, output);
    assert.equal((await readTree(root)).size, before.size);
    await world.drainOnce("cold");
    await world.drained();
    await world.requireInvariants();
  },
});

Deno.test({
  ...LINUX,
  name: "a slow storage does not hold up another",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    const submitted = (await world.submitMany(random, 300)).length;
    await using hot = world.start("hot");
    await using cold = world.start("cold");
    await cold.says(/serving/);
    cold.signal("SIGSTOP");
    await until("hot has everything", async () => await world.receipts("hot") === submitted);
    cold.signal("SIGCONT");
    await world.drained();
    await world.requireInvariants();
    assert.equal((await hot.stop()).code, 0);
  },
});
