/** Power cuts after which the worker goes on with what is left, again and again. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { withAncestors } from "../../src/storage/layout.ts";
import { requireTools } from "../support/require_tool.ts";
import { pause, until } from "../lab/command.ts";
import { directoryOf } from "../lab/expected.ts";
import { brokenReceipts, receiptsOf, wrongNames } from "../lab/invariants.ts";
import { Mount } from "../lab/mount.ts";
import { options, times } from "../lab/options.ts";
import { PowerCuts, type Survival } from "../lab/power_cuts.ts";
import { Random } from "../lab/random.ts";
import { FUSEPY, RecordedDisk } from "../lab/recorded_disk.ts";
import { type FileSystem, Shelf } from "../lab/shelf.ts";
import { sharedTemplate } from "../lab/template.ts";
import { readTree } from "../lab/tree.ts";
import { KILLED } from "../lab/worker_process.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();
const DISKS = requireTools(["mkfs.xfs", "mkfs.ext4", FUSEPY, "strace"], {
  root: true,
});

for (const system of ["ext4", "xfs"] as const) {
  Deno.test({
    ...DISKS,
    name:
      `a worker on ${system} goes on after power cuts, over whatever they left, and loses nothing`,
    fn: async () => {
      const random = new Random(options.seed);
      await using run = await Run.begin(system);
      const { world } = run;
      let receipts = 0;
      for (let cut = 0; cut < times(4, 100); cut++) {
        await world.submitMany(
          random,
          25,
          (random) => random.between(0, random.pick([300, 900_000])),
        );
        await run.untilCut(random.pick(["none", "some", "torn"]), random, async () => {
          await using worker = world.start("hot", { args: ["--batch-files", "8"] });
          await worker.says(/serving/);
          // Every second cut comes after a receipt at least, however slow the machine.
          if (cut % 2 === 1) {
            const before = receipts;
            await until("more is receipted", async () => (await world.receipts("hot")) > before);
          }
          // The time is the fault.
          await pause(random.between(0, 200));
          await worker.kill();
        });
        receipts = await run.requireReceipts();
      }
      assert.ok(receipts > 0);
      await run.mounted(() => world.drainAll());
      await run.mounted(() => world.requireInvariants());
    },
  });

  Deno.test({
    ...DISKS,
    name:
      `what a killed worker linked on ${system} and a later one found is there after a power cut`,
    fn: async () => {
      const random = new Random(options.seed);
      await using run = await Run.begin(system);
      for (let round = 0; round < times(1, 20); round++) {
        await linkDieFindCut(run, random);
        assert.equal(await run.requireReceipts(), round + 1);
      }
    },
  });
}

Deno.test({
  ...DISKS,
  name: "the power cut sees the loss where the later one does not fsync what it found",
  fn: async () => {
    const random = new Random(options.seed);
    await using run = await Run.begin("ext4");
    await linkDieFindCut(run, random, ["fsync,fdatasync:retval=0"]);
    await assert.rejects(run.requireReceipts(), /I1/);
  },
});

/** A worker dies between a link and its directory's fsync, the next one finds the name, the power goes. */
async function linkDieFindCut(run: Run, random: Random, inject: string[] = []): Promise<void> {
  const { world } = run;
  const bytes = random.bytes(10_000);
  const media = await world.submit(bytes, { ownerUuid: random.uuid(), itemUuid: random.uuid() });
  const log = join(run.shelf.directory, "strace");
  const calls = ["fsync", "fdatasync"];
  await run.untilCut("none", random, async () => {
    const root = world.root("hot");
    const directory = join(root, directoryOf(media));
    // At the first fsync of any directory: one of them would take the file system's whole journal with it.
    const paths = [directory, join(root, ".omoide/objects", media.sha256.slice(0, 2))]
      .flatMap((path) => withAncestors(path.slice(root.length + 1)))
      .map((path) => join(root, path));
    const died = await world.drainOnce("hot", {
      trace: { log, calls, inject: ["fsync:signal=KILL"], paths },
    });
    assert.equal(died.code, KILLED, died.output);
    assert.ok((await Deno.stat(join(directory, `${media.itemUuid}.jpg`))).isFile);
    const { code, output } = await world.drainOnce("hot", { trace: { log, calls, inject } });
    assert.equal(code, 0, output);
    const [receipt] = await world.query<{ outcome: string }>(
      "SELECT outcome FROM omoide.receipt WHERE storage = 'hot' AND media_id = $1",
      [media.id],
    );
    assert.equal(receipt?.outcome, "present");
  });
}

/** A world whose hot storage lies on a disk that loses its power now and then. */
class Run implements AsyncDisposable {
  #cuts = 0;

  private constructor(
    readonly shelf: Shelf,
    readonly world: World,
    private image: string,
    private readonly place: string,
    /** Of the mounts whose power is cut. */
    private readonly options: readonly string[],
  ) {}

  static async begin(system: FileSystem): Promise<Run> {
    const shelf = await Shelf.open();
    const image = await shelf.format("disk.img", system, times("320M", "1500M"));
    const place = join(shelf.directory, "disk");
    await using _mount = await Mount.at(image, place);
    const world = await template().world({ hot: join(place, "root") });
    // By itself ext4 commits its journal every 5 s, which on a slow machine saves what nobody has fsynced.
    return new Run(shelf, world, image, place, system === "ext4" ? ["commit=300"] : []);
  }

  /** Does something on the mounted disk. */
  async mounted(work: () => Promise<void>): Promise<void> {
    await using _mount = await Mount.at(this.image, this.place);
    await work();
  }

  /** As `mounted`, but when it is done the power goes, and what survives is the disk from then on. */
  async untilCut(survival: Survival, random: Random, work: () => Promise<void>): Promise<void> {
    await using disk = await RecordedDisk.over(this.shelf, this.image);
    let moment: number;
    {
      await using _mount = await Mount.at(disk.device, this.place, this.options);
      await work();
      moment = disk.now();
    }
    using cuts = await PowerCuts.of(this.shelf, disk);
    const { image } = await cuts.cutAt(moment, survival, random, `cut${++this.#cuts}.img`);
    this.image = image;
  }

  /** I1 and I3, on what the power cut left. @returns how many receipts there were to be kept */
  async requireReceipts(): Promise<number> {
    const { world } = this;
    const receipts = await receiptsOf(await world.superuser(), "hot");
    await this.mounted(async () => {
      const broken = [
        ...await brokenReceipts(world.root("hot"), receipts),
        ...wrongNames(await readTree(world.root("hot")), world.expected),
      ];
      assert.equal(broken.join("\n"), "");
    });
    return receipts.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.shelf[Symbol.asyncDispose]();
  }
}
