/** The lab itself: it must see a loss where there is one, and none where there is none. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { Mount } from "./mount.ts";
import { options, times } from "./options.ts";
import { PowerCuts, type Survival } from "./power_cuts.ts";
import { Random } from "./random.ts";
import { FUSEPY, RecordedDisk } from "./recorded_disk.ts";
import { type FileSystem, Shelf } from "./shelf.ts";

const DISKS = requireTools(["mkfs.xfs", "mkfs.ext4", "losetup", FUSEPY], {
  root: true,
});
const WRITER = new URL("./tiny_writer.ts", import.meta.url).pathname;

Deno.test("the same seed gives the same chances", () => {
  const draw = (seed: number) => {
    const random = new Random(seed);
    return [random.uuid(), random.between(3, 9), random.bytes(5), random.shuffled([1, 2, 3, 4])];
  };
  assert.deepEqual(draw(7), draw(7));
  assert.ok(JSON.stringify(draw(7)) !== JSON.stringify(draw(8)));
});

for (const system of ["ext4", "xfs"] as const) {
  Deno.test({
    ...DISKS,
    name: `power cuts on ${system} lose nothing of a writer that fsyncs bytes and names`,
    fn: async () => assert.equal((await lossesOf(system, "all")).lost, 0),
  });

  Deno.test({
    ...DISKS,
    name: `power cuts on ${system} lose files of a writer that never fsyncs`,
    fn: async () => assert.ok((await lossesOf(system, "none")).lost > 0),
  });

  Deno.test({
    ...DISKS,
    name: `a clone of a live ${system} image lacks what was not fsynced`,
    fn: async () => {
      await using shelf = await Shelf.open();
      const image = await shelf.format("disk.img", system, "320M");
      await using mount = await Mount.at(image, join(shelf.directory, "disk"));
      await write(mount.path, "none", () => {});
      const copy = await shelf.clone(image, "copy.img");
      await using after = await Mount.at(copy, join(shelf.directory, "copy"));
      assert.ok(lostIn(after.path, COUNT) > 0);
    },
  });
}

Deno.test({
  ...DISKS,
  name: "a disk that fails says so to fsync",
  fn: async () => {
    await using shelf = await Shelf.open();
    const image = await shelf.format("disk.img", "ext4", "64M");
    await using disk = await RecordedDisk.over(shelf, image);
    await using mount = await Mount.at(disk.device, join(shelf.directory, "disk"));
    using file = Deno.openSync(join(mount.path, "file"), { write: true, createNew: true });
    file.writeSync(new Uint8Array(10));
    disk.behave("eio-write");
    let said = "";
    try {
      file.syncDataSync();
    } catch (error) {
      said = String(error);
    }
    disk.behave("ok");
    assert.ok(said.includes("os error 5"), said);
  },
});

const COUNT = 40;

/** Cuts the power at moments where the writer has just said that a file is stored, and in between. */
async function lossesOf(system: FileSystem, care: "none" | "file" | "all") {
  const random = new Random(options.seed);
  await using shelf = await Shelf.open();
  const image = await shelf.format("disk.img", system, "320M");
  await using disk = await RecordedDisk.over(shelf, image);
  const moments: { moment: number; stored: number }[] = [];
  {
    await using mount = await Mount.at(disk.device, join(shelf.directory, "disk"));
    await write(mount.path, care, (stored) => moments.push({ moment: disk.now(), stored }));
  }
  using cuts = await PowerCuts.of(shelf, disk);
  let lost = 0;
  const chosen = random.shuffled(moments).slice(0, times(5, 40)).sort((a, b) =>
    a.moment - b.moment
  );
  for (const [index, { moment, stored }] of chosen.entries()) {
    const survival = random.pick<Survival>(["none", "some", "torn", "all"]);
    const cut = await cuts.cutAt(moment, survival, random, `cut${index}.img`);
    await using after = await Mount.at(cut.image, join(shelf.directory, "cut"));
    lost += lostIn(after.path, stored);
  }
  return { lost };
}

async function write(directory: string, care: string, onStored: (count: number) => void) {
  const writer = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", WRITER, directory, String(COUNT), care],
    stdout: "piped",
  }).spawn();
  let text = "";
  for await (const piece of writer.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    onStored(text.split("\n").length - 1);
  }
  assert.equal((await writer.status).code, 0);
}

function lostIn(directory: string, stored: number): number {
  let lost = 0;
  for (let index = 0; index < stored; index++) {
    try {
      const text = Deno.readTextFileSync(join(directory, String(index)));
      if (text !== `${index} `.repeat(2_000)) lost++;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      lost++;
    }
  }
  return lost;
}
