/**
 * Real distributed file systems, each on this machine alone: what is accepted, what two mounts see, and one of
 * three servers killed in the middle of a drain. Minutes each, and hundreds of megabytes to install: in the
 * long version only.
 */
import assert from "node:assert/strict";
import { ONE_MACHINE } from "../../src/storage/file_systems.ts";
import { until } from "../lab/command.ts";
import { CEPH, startCephFs } from "../lab/distributed/cephfs.ts";
import type { Distributed } from "../lab/distributed/distributed.ts";
import { GLUSTER, startGlusterFs } from "../lab/distributed/glusterfs.ts";
import { MOOSE, startMooseFs } from "../lab/distributed/moosefs.ts";
import { options } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { admin, sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { requireTools } from "../support/require_tool.ts";

const template = sharedTemplate();

const SYSTEMS = {
  CephFS: { tools: CEPH, start: startCephFs, type: "fuse.ceph-fuse", acceptance: null },
  GlusterFS: {
    ...{ tools: GLUSTER, start: startGlusterFs },
    ...{ type: "fuse.glusterfs", acceptance: ONE_MACHINE },
  },
  MooseFS: { tools: MOOSE, start: startMooseFs, type: "fuse.mfs", acceptance: ONE_MACHINE },
};

for (const [name, { tools, start, type, acceptance }] of Object.entries(SYSTEMS)) {
  Deno.test({
    ignore: !options.long || requireTools(tools, { root: true }).ignore,
    name: `on ${name} a server dies in the middle of a drain, and every receipt is there`,
    fn: async (t) => {
      await using system = await start();
      await storeOn(t, system, { name, type, acceptance });
    },
  });
}

interface Kind {
  readonly name: string;
  readonly type: string;
  readonly acceptance: string | null;
}

async function storeOn(
  t: Deno.TestContext,
  system: Distributed,
  { name, type, acceptance }: Kind,
): Promise<void> {
  const [root, again] = [`${system.mounts[0]}/hot`, `${system.mounts[1]}/hot`];
  await using world = await template().world({ hot: root });
  const random = new Random(options.seed);
  const init = ["storage", "init", "hot", root, "--database", world.server.url(world.database)];

  await t.step("storage init looks at what is mounted, and --check proves the rest", async () => {
    if (acceptance === null) {
      await admin(...init);
    } else {
      await assert.rejects(admin(...init), new RegExp(`${type}.*give --accept "${acceptance}"`));
      await admin(...init, "--accept", acceptance);
    }
    const { code, output } = await world.check("hot");
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`^ok {4}file system: ${type.replace(".", "\\.")}`, "m"));
    console.log(await admin("storage", "mounts", root, again));
  });

  await using _cold = world.start("cold");
  // Once everything is there: then it is the file system that decides how long it takes.
  const startHot = () => world.start("hot", { args: ["--reserve", "1MiB"] });
  for (const [count, size] of [[500, 20_000], [40, 2_000_000]] as const) {
    await t.step(`it stores ${count} media of ${size} bytes`, async () => {
      const before = await world.receipts("hot");
      await world.submitMany(random, count, () => size);
      await using hot = startHot();
      await world.drained(600_000);
      assert.equal((await hot.stop()).code, 0);
      console.log(`  ${name}: ${count} media of ${size} bytes, ${await rate(world, before)}`);
    });
  }

  await t.step("a server dies, and comes back", async () => {
    const before = await world.receipts("hot");
    await world.submitMany(random, 400, () => 20_000);
    await using hot = startHot();
    await until("it drains", async () => await world.receipts("hot") >= before + 50, 300_000);
    await system.killServer();
    const atKill = await world.receipts("hot");
    assert.ok(atKill < before + 400, "it was not killed in the middle");
    await until("receipts go on", async () => await world.receipts("hot") > atKill, 300_000);
    await system.startServer();
    await world.drained(600_000);
    assert.equal((await hot.stop()).code, 0);
    console.log(
      `  ${name}: server killed at ${atKill - before} of 400, ${await rate(world, before)}`,
    );
    const [parked] = await world.query("SELECT FROM omoide.owed WHERE parked_at IS NOT NULL");
    assert.equal(parked, undefined);
  });

  await world.requireInvariants();
  // GlusterFS has inode numbers that Deno rounds: there the bytes of all files are compared instead.
  const verify = name === "GlusterFS"
    ? ["storage", "compare", root, world.root("cold")]
    : ["storage", "verify", root];
  assert.match(await admin(...verify), /GOOD|SAME/);
}

/**
 * What hot has stored in a second between its first and its last receipt, and the longest time without one,
 * beyond the first so many.
 */
async function rate(world: World, after: number): Promise<string> {
  const [row] = await world.query<{ rate: string; gap: string }>(
    `WITH receipts AS (
       SELECT stored_at FROM omoide.receipt WHERE storage = 'hot' ORDER BY stored_at OFFSET $1
     ), moments AS (
       SELECT stored_at, count(*) AS stored, stored_at - lag(stored_at) OVER (ORDER BY stored_at) AS gap
       FROM receipts GROUP BY stored_at
     )
     SELECT round((sum(stored) FILTER (WHERE gap IS NOT NULL)
         / extract(epoch FROM max(stored_at) - min(stored_at)))::numeric, 1) AS rate,
       round(extract(epoch FROM max(gap))::numeric, 1) AS gap FROM moments`,
    [after],
  );
  return `${row?.rate} a second, the longest time without a receipt ${row?.gap} s`;
}
