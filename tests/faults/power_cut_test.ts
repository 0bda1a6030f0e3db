/**
 * Power cuts: a root on a disk that records its block writes and flushes. A worker stores, is killed now
 * and then, and for moments of that run the disk is rebuilt as a power cut would have left it. What was
 * receipted before that moment must be there, and no public name may show anything else.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { pause } from "../lab/command.ts";
import { brokenReceipts, type Receipt, receiptsOf, wrongNames } from "../lab/invariants.ts";
import { Mount } from "../lab/mount.ts";
import { options, times } from "../lab/options.ts";
import { PowerCuts, type Survival } from "../lab/power_cuts.ts";
import { Random } from "../lab/random.ts";
import { FUSEPY, RecordedDisk } from "../lab/recorded_disk.ts";
import { type FileSystem, Shelf } from "../lab/shelf.ts";
import { sharedTemplate } from "../lab/template.ts";
import { readTree } from "../lab/tree.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

const DISKS = requireTools(["mkfs.xfs", "mkfs.ext4", "losetup", FUSEPY], {
  root: true,
});
const TRACED = requireTools(["mkfs.xfs", "mkfs.ext4", FUSEPY, "strace"], { root: true });

/**
 * Small batches, so that there are many moments between an acknowledgement and the next flush; larger ones,
 * so that much is on its way.
 */
function batches(random: Random): string[] {
  return ["--batch-files", String(random.pick([1, 4, 16, 64]))];
}

function sizes(random: Random): number {
  return random.between(0, random.chance(0.1) ? 1_500_000 : 40_000);
}

for (const system of ["ext4", "xfs"] as const) {
  Deno.test({
    ...DISKS,
    name: `nothing receipted is lost by a power cut on ${system}, and no name shows wrong bytes`,
    fn: async () => {
      const cuts = times(24, 400);
      const found = await cutThePower(system, { cuts, kills: times(3, 30) });
      const told =
        `${found.cuts} cuts, ${found.pending} unflushed writes, ${found.receipts} receipts`;
      assert.equal(found.broken.join("\n"), "");
      assert.equal(found.cuts, cuts);
      assert.ok(found.pending > 0 && found.receipts > 0, told);
      console.log(`  ${told}`);
    },
  });
}

/** What a worker without these calls would lose: if nothing, the tests above would prove nothing. */
for (
  const [what, calls, system] of [
    ["any fsync", "fdatasync,fsync", "ext4"],
    ["any fsync", "fdatasync,fsync", "xfs"],
    ["the fdatasync of files", "fdatasync", "ext4"],
    ["the fsync of directories", "fsync", "ext4"],
  ] as const
) {
  Deno.test({
    ...TRACED,
    name: `the power cuts on ${system} see the loss of a worker without ${what}`,
    fn: async () => {
      const found = await cutThePower(system, { cuts: times(12, 60), kills: 0, without: calls });
      assert.ok(found.broken.length > 0);
      console.log(`  ${found.cuts} cuts, ${found.broken.length} losses seen`);
    },
  });
}

interface Found {
  cuts: number;
  /** Writes that were on their way when the power was cut, all cuts together. */
  pending: number;
  receipts: number;
  broken: string[];
}

/** @param plan.without system calls that answer 0 and do nothing */
async function cutThePower(
  system: FileSystem,
  plan: { cuts: number; kills: number; without?: string },
): Promise<Found> {
  const random = new Random(options.seed);
  await using shelf = await Shelf.open();
  const image = await shelf.format("disk.img", system, "320M");
  await using disk = await RecordedDisk.over(shelf, image);
  const moments: Moment[] = [];
  await using world = await storeOn(disk, shelf, random, plan, moments);
  using cuts = await PowerCuts.of(shelf, disk);
  const found: Found = { cuts: 0, pending: 0, receipts: 0, broken: [] };
  for (const { moment, receipts } of chooseMoments(moments, plan.cuts, random)) {
    const survival = random.pick<Survival>(["none", "none", "some", "torn", "all"]);
    const cut = await cuts.cutAt(moment, survival, random, "cut.img");
    found.cuts++;
    found.pending += cut.pending;
    found.receipts += receipts.length;
    await using after = await Mount.at(cut.image, join(shelf.directory, "cut"));
    const root = join(after.path, "root");
    const broken = [
      ...await brokenReceipts(root, receipts),
      ...wrongNames(await readTree(root), world.expected),
    ];
    found.broken.push(...broken.map((line) => `cut at ${moment} (${survival} survive): ${line}`));
  }
  return found;
}

/** A moment of the disk's life, and what had been receipted before. */
interface Moment {
  readonly moment: number;
  readonly receipts: readonly Receipt[];
}

/** Fills the disk with what a worker stores, killed now and then, and notes receipts as they come. */
async function storeOn(
  disk: RecordedDisk,
  shelf: Shelf,
  random: Random,
  plan: { kills: number; without?: string },
  moments: Moment[],
): Promise<World> {
  await using mount = await Mount.at(disk.device, join(shelf.directory, "disk"));
  const world = await template().world({ hot: join(mount.path, "root") });
  await world.submitMany(random, 120, sizes);
  await using sampler = new Sampler(world, disk, moments);
  for (let kills = 0; kills < plan.kills; kills++) {
    await using worker = world.start("hot", { args: batches(random) });
    await worker.says(/serving/);
    // The time is the fault: somewhere in the first batches.
    await pause(random.between(0, 60));
    await worker.kill();
    await world.submitMany(random, 10, sizes);
  }
  const inject = plan.without === undefined ? {} : {
    trace: {
      log: join(shelf.directory, "strace"),
      calls: plan.without.split(","),
      inject: [`${plan.without}:retval=0`],
    },
  };
  const { code, output } = await world.drainOnce("hot", { args: batches(random), ...inject });
  assert.equal(code, 0, output);
  await sampler.stop();
  return world;
}

/** Notes over and over what is receipted, and only then how far the disk is. */
class Sampler implements AsyncDisposable {
  #stopping = false;
  readonly #done: Promise<void>;

  constructor(world: World, disk: RecordedDisk, moments: Moment[]) {
    this.#done = this.#sample(world, disk, moments);
  }

  async #sample(world: World, disk: RecordedDisk, moments: Moment[]): Promise<void> {
    const database = await world.connect();
    while (!this.#stopping) {
      const receipts = await receiptsOf(database, "hot");
      const moment = disk.now();
      if (moment !== moments.at(-1)?.moment) moments.push({ moment, receipts });
      await pause(1);
    }
    moments.push({ receipts: await receiptsOf(database, "hot"), moment: disk.now() });
    await database.end();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /** Where what was to be sampled has failed, that is the error to be seen. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => {});
  }
}

/** The last moment, those right after new receipts, and others in between; ascending. */
function chooseMoments(moments: readonly Moment[], count: number, random: Random): Moment[] {
  const fresh = moments.filter(({ receipts }, index) =>
    receipts.length > (moments[index - 1]?.receipts.length ?? 0)
  );
  const [first, last] = [moments[0]?.moment ?? 0, moments.at(-1)?.moment ?? 0];
  const between = Array.from({ length: count }, () => {
    // In the middle of whatever is being written: what was receipted at the last look before holds.
    const moment = random.between(first, last);
    const receipts = moments.findLast((look) => look.moment <= moment)?.receipts ?? [];
    return { moment, receipts };
  });
  const chosen = [...random.shuffled(fresh).slice(0, Math.ceil(count / 2)), ...between]
    .slice(0, count - 1);
  return [...chosen, ...moments.slice(-1)].sort((a, b) => a.moment - b.moment);
}
