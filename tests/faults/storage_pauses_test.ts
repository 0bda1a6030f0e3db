/** A storage that takes nothing for the moment: the worker waits, says why, and goes on by itself. */
import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { pause, until } from "../lab/command.ts";
import { directoryOf, objectPath, type Submitted } from "../lab/expected.ts";
import { Mount } from "../lab/mount.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { type FileSystem, Shelf } from "../lab/shelf.ts";
import { sharedTemplate } from "../lab/template.ts";
import { readTree } from "../lab/tree.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

const DISKS = requireTools(["mkfs.xfs", "mkfs.ext4", "losetup"], { root: true });
const MiB = 1024 * 1024;

interface Trouble {
  readonly name: string;
  readonly system: FileSystem;
  readonly size: string;
  readonly format?: readonly string[];
  readonly reserve: string;
  /** Bytes of each media that comes. */
  readonly media: number;
  readonly reason: RegExp;
  /** Orphans that one pause may leave. */
  readonly orphans: number;
  begin(disk: Mount): Promise<void>;
  fix(disk: Mount): Promise<void>;
}

const TROUBLES: readonly Trouble[] = [
  ...(["ext4", "xfs"] as const).map((system): Trouble => ({
    name: `a full ${system} disk`,
    system,
    size: "320M",
    reserve: "0",
    media: 300_000,
    reason: /no room|no space/i,
    orphans: 1,
    begin: (disk) => fill(disk, 5 * MiB),
    fix: (disk) => Deno.remove(join(disk.path, "filler")),
  })),
  {
    name: "a disk with less than the reserve free",
    system: "ext4",
    size: "320M",
    reserve: "10%",
    media: 300_000,
    reason: /reserve/i,
    orphans: 0,
    begin: (disk) => fill(disk, 34 * MiB),
    fix: (disk) => Deno.remove(join(disk.path, "filler")),
  },
  {
    name: "a disk without free inodes",
    system: "ext4",
    size: "64M",
    format: ["-N", "1000"],
    reserve: "0",
    media: 100,
    reason: /inode/i,
    orphans: 0,
    begin: (disk) => useInodes(disk, 20),
    fix: (disk) => Deno.remove(join(disk.path, "many"), { recursive: true }),
  },
  {
    name: "a disk remounted read-only",
    system: "ext4",
    size: "320M",
    reserve: "5%",
    media: 300_000,
    reason: /read-only/i,
    orphans: 0,
    begin: (disk) => disk.remount("ro"),
    fix: (disk) => disk.remount("rw"),
  },
];

for (const trouble of TROUBLES) {
  Deno.test({
    ...DISKS,
    name: `${trouble.name} pauses its storage alone, counts against no media, and passes by itself`,
    fn: () => pauseAndGoOn(trouble),
  });
}

Deno.test({
  ...DISKS,
  name:
    "a media that is larger than a whole disk fails by itself, holds up no other, and is parked in the end",
  fn: async () => {
    const random = new Random(options.seed);
    await using shelf = await Shelf.open();
    const image = await shelf.format("disk.img", "ext4", "48M");
    await using disk = await Mount.at(image, join(shelf.directory, "disk"));
    await using world = await template().world({ hot: join(disk.path, "root") });
    const small = await world.submitMany(random, 5);
    const large = await world.submit(random.bytes(60_000_000), {
      ownerUuid: random.uuid(),
      itemUuid: random.uuid(),
    });
    small.push(...await world.submitMany(random, 5));
    const { code, output } = await world.drainOnce("hot");
    assert.equal(code, 6, output);
    assert.equal(await world.receipts("hot"), small.length);
    const left = await world.query<{ media_id: string; attempts: number; last_error: string }>(
      "SELECT media_id, attempts, last_error FROM omoide.owed WHERE storage = 'hot'",
    );
    assert.equal(left.map(({ media_id }) => media_id).join(), String(large.id));
    assert.match(left[0]?.last_error ?? "", /more than all of/);
    for (let attempt = 0; attempt < 10 && !(await parked(world, large)).parked; attempt++) {
      await world.query("UPDATE omoide.delivery SET next_attempt_at = '-infinity'");
      await world.drainOnce("hot");
    }
    const last = await parked(world, large);
    assert.ok(last.parked, `${last.attempts} attempts: ${last.last_error}`);
    assert.ok(last.attempts > 1);
    assert.match(last.last_error, /its 60000000 bytes are more than all of/);
  },
});

/** What the kernel answers twice, in the middle of a batch, as where another program takes the last block. */
for (
  const [call, error, at] of [
    ["write", "ENOSPC", objectPath],
    ["write", "EDQUOT", objectPath],
    ["openat", "ENOSPC", objectPath],
    ["openat", "EROFS", objectPath],
    ["mkdir", "ENOSPC", directoryOf],
    ["link", "ENOSPC", objectPath],
    ["link", "EROFS", objectPath],
  ] as const
) {
  Deno.test({
    ...requireTools(["strace"]),
    name: `${error} at a ${call} pauses the storage, leaves one file at most, and passes by itself`,
    fn: async () => {
      const random = new Random(options.seed);
      await using world = await template().world();
      const media = await world.submitMany(random, 30);
      const tenth = media[9];
      assert.ok(tenth !== undefined);
      const log = await world.temporaryFile();
      const calls = [call, ...(call === "openat" || call === "write" ? [] : [`${call}at`])];
      await using hot = world.start("hot", {
        trace: {
          log,
          calls,
          inject: [`${calls.join(",")}:error=${error}:when=1..2`],
          paths: [join(world.root("hot"), at(tenth))],
        },
      });
      await hot.says(/paused/);
      await requireUncounted(world);
      await world.drainOnce("cold");
      await world.drained(40_000);
      assert.match(await Deno.readTextFile(log), /INJECTED/);
      assert.ok((await unlinkedObjects(world.root("hot"))).length <= 1);
      await world.requireInvariants();
      assert.equal((await hot.stop()).code, 0);
    },
  });
}

async function pauseAndGoOn(trouble: Trouble): Promise<void> {
  const random = new Random(options.seed);
  await using shelf = await Shelf.open();
  const image = await shelf.format("disk.img", trouble.system, trouble.size, trouble.format ?? []);
  await using disk = await Mount.at(image, join(shelf.directory, "disk"));
  await using world = await template().world({ hot: join(disk.path, "root") });
  await using hot = world.start("hot", { args: ["--reserve", trouble.reserve] });
  await using cold = world.start("cold");
  await Promise.all([hot.says(/serving/), cold.says(/serving/)]);
  await world.submitMany(random, 5, () => trouble.media);
  await world.drained();
  const before = await readTree(world.root("hot"));

  await trouble.begin(disk);
  const submitted = (await world.submitMany(random, 40, () => trouble.media)).length + 5;
  assert.match(await world.becomes("hot", "paused") ?? "", trouble.reason);
  await requireUncounted(world);
  await until("cold has everything", async () => await world.receipts("cold") === submitted);
  const pauses = async () => await unlinkedObjects(world.root("hot"));
  // Time for several looks of the paused worker; each might leave something behind.
  await pause(times(2_000, 40_000));
  assert.ok((await pauses()).length <= trouble.orphans, `orphans: ${await pauses()}`);
  assert.ok(await world.receipts("hot") < submitted);
  // It may just be looking again.
  await world.becomes("hot", "paused");
  await requireUncounted(world);

  await trouble.fix(disk);
  await world.drained(30_000);
  assert.ok((await pauses()).length <= trouble.orphans, `orphans: ${await pauses()}`);
  await world.requireInvariants({ before: new Map([["hot", before]]) });
  assert.equal((await hot.stop()).code, 0);
}

/** Leaves so many bytes free. */
async function fill(disk: Mount, free: number): Promise<void> {
  using file = await Deno.open(join(disk.path, "filler"), { write: true, createNew: true });
  const piece = new Uint8Array(MiB);
  const left = () => {
    const { bavail, bsize } = statfsSync(disk.path);
    return bavail * bsize;
  };
  while (left() > free + MiB) {
    await file.write(piece);
    await file.syncData();
  }
}

async function useInodes(disk: Mount, free: number): Promise<void> {
  const directory = join(disk.path, "many");
  await Deno.mkdir(directory);
  for (let index = 0; statfsSync(disk.path).ffree > free; index++) {
    await Deno.writeTextFile(join(directory, String(index)), "");
  }
}

/** To be asked while the pause lasts: what has drained counts nothing. */
async function requireUncounted(world: World): Promise<void> {
  const owed = await world.query<{ storage: string; attempts: number; parked: boolean }>(
    `SELECT storage, media_id, attempts, last_error, parked_at IS NOT NULL AS parked
     FROM omoide.owed`,
  );
  assert.ok(owed.some(({ storage }) => storage === "hot"));
  const counted = owed.filter(({ attempts, parked }) => attempts > 0 || parked);
  assert.equal(JSON.stringify(counted), "[]");
}

async function parked(world: World, { id }: Submitted) {
  const [row] = await world.query<{ parked: boolean; attempts: number; last_error: string }>(
    `SELECT parked_at IS NOT NULL AS parked, attempts, last_error FROM omoide.owed
     WHERE storage = 'hot' AND media_id = $1`,
    [id],
  );
  assert.ok(row !== undefined);
  return row;
}

/** Objects that no public name belongs to. */
async function unlinkedObjects(root: string): Promise<string[]> {
  const found: string[] = [];
  for await (const directory of Deno.readDir(join(root, ".omoide/objects"))) {
    for await (const { name } of Deno.readDir(join(root, ".omoide/objects", directory.name))) {
      const { nlink } = await Deno.lstat(join(root, ".omoide/objects", directory.name, name));
      if (nlink === 1) found.push(name);
    }
  }
  return found;
}
