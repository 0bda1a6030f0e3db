/** A storage whose word is worth nothing any more: the worker stops taking it, and says so. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { run, until } from "../lab/command.ts";
import { directoryOf, objectPath, parent, type Submitted } from "../lab/expected.ts";
import { Mount } from "../lab/mount.ts";
import { options } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { FUSEPY, RecordedDisk } from "../lab/recorded_disk.ts";
import { Shelf } from "../lab/shelf.ts";
import { admin, sharedTemplate } from "../lab/template.ts";
import { readTree } from "../lab/tree.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

const STRACE = requireTools(["strace"]);
const DISKS = requireTools(["mkfs.xfs", "mkfs.ext4", "losetup", FUSEPY], {
  root: true,
});

/** Where the third media meets an I/O error. */
const FAILURES: Record<
  string,
  { calls: string; at: (media: Submitted) => string; error?: string }
> = {
  "the write of an object": { calls: "write", at: objectPath },
  "the write of an object (EUCLEAN)": { calls: "write", at: objectPath, error: "EUCLEAN" },
  "the link of a public name (EUCLEAN)": { calls: "link,linkat", at: objectPath, error: "EUCLEAN" },
  "the fdatasync of an object (ENOSPC)": { calls: "fdatasync", at: objectPath, error: "ENOSPC" },
  "the fdatasync of an object": { calls: "fdatasync", at: objectPath },
  "the link of a public name": { calls: "link,linkat", at: objectPath },
  "the fsync of an object's directory": {
    calls: "fsync",
    at: (media) => parent(objectPath(media)),
  },
  "the fsync of a public directory": { calls: "fsync", at: directoryOf },
  "the fsync of an owner's directory": {
    calls: "fsync",
    at: (media) => parent(directoryOf(media)),
  },
  "the fsync of a type's directory": { calls: "fsync", at: (media) => media.mediaType },
  "the making of a public directory": { calls: "mkdir,mkdirat", at: directoryOf },
};

for (const [what, { calls, at, error = "EIO" }] of Object.entries(FAILURES)) {
  Deno.test({
    ...STRACE,
    name: `an I/O error at ${what} makes a storage distrusted, and nothing more is acknowledged`,
    fn: async () => {
      const random = new Random(options.seed);
      await using world = await template().world();
      const media = await submitEachInItsOwnPlace(world, random, 6);
      const third = media[2];
      assert.ok(third !== undefined);
      const log = await world.temporaryFile();
      const ended = await world.drainOnce("hot", {
        trace: {
          log,
          calls: calls.split(","),
          inject: [`${calls}:error=${error}`],
          paths: [join(world.root("hot"), at(third))],
        },
        args: ["--batch-files", "1", "--writers", "1"],
      });
      assert.equal(ended.code, 5, ended.output);
      assert.match(await Deno.readTextFile(log), /INJECTED/);
      const receipts = await world.query<{ media_id: string }>(
        "SELECT media_id FROM omoide.receipt WHERE storage = 'hot' AND media_id >= $1",
        [third.id],
      );
      assert.equal(receipts.length, 0);
      await requireDistrusted(world);
      await trustAndDrain(world);
    },
  });
}

for (const behaviour of ["eio-write", "eio-flush"] as const) {
  Deno.test({
    ...DISKS,
    name: `a disk that answers ${behaviour} under a running worker makes its storage distrusted`,
    fn: async () => {
      const random = new Random(options.seed);
      await using shelf = await Shelf.open();
      const image = await shelf.format("disk.img", "ext4", "320M");
      await using disk = await RecordedDisk.over(shelf, image);
      await using mount = await Mount.at(disk.device, join(shelf.directory, "disk"));
      await using world = await template().world({ hot: join(mount.path, "root") });
      await using hot = world.start("hot");
      await hot.says(/serving/);
      await world.submitMany(random, 20);
      await hot.says(/stored \d+ media/);
      disk.behave(behaviour);
      await world.submitMany(random, 20);
      const { code } = await hot.ended;
      disk.behave("ok");
      assert.equal(code, 5, hot.output);
      await requireDistrusted(world);
      // The file system itself has stopped taking anything by now; a mount reads what the disk has.
      await mount.unmount();
      await run("fsck.ext4", "-p", image).catch(() => {});
      await using again = await Mount.at(disk.device, mount.path);
      assert.ok(again.path === mount.path);
      await trustAndDrain(world);
    },
  });
}

for (const error of ["ENXIO", "ENODEV", "ESTALE"]) {
  Deno.test({
    ...STRACE,
    name:
      `a disk that has gone (${error}) ends the worker, and its storage is not distrusted for it`,
    fn: async () => {
      const random = new Random(options.seed);
      await using world = await template().world();
      const [, second] = await submitEachInItsOwnPlace(world, random, 4);
      assert.ok(second !== undefined);
      const log = await world.temporaryFile();
      const ended = await world.drainOnce("hot", {
        trace: {
          log,
          calls: ["write"],
          inject: [`write:error=${error}`],
          paths: [join(world.root("hot"), objectPath(second))],
        },
        args: ["--batch-files", "1"],
      });
      assert.equal(ended.code, 4, ended.output);
      await world.drainAll();
      await world.requireInvariants();
    },
  });
}

Deno.test({
  ...STRACE,
  name: "an existing file that cannot be read harms its own media alone",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    const media = await submitEachInItsOwnPlace(world, random, 5);
    const third = media[2];
    assert.ok(third !== undefined);
    const directory = join(world.root("hot"), directoryOf(third));
    await Deno.mkdir(directory, { recursive: true });
    const path = join(directory, `${third.itemUuid}.jpg`);
    await Deno.writeFile(path, new Uint8Array(third.size));
    const log = await world.temporaryFile();
    const { code, output } = await world.drainOnce("hot", {
      trace: { log, calls: ["read", "pread64"], inject: ["read,pread64:error=EIO"], paths: [path] },
    });
    assert.match(await Deno.readTextFile(log), /INJECTED/);
    assert.equal(code, 0, output);
    assert.equal(await world.receipts("hot"), 5);
    const [receipt] = await world.query<{ outcome: string }>(
      "SELECT outcome FROM omoide.receipt WHERE storage = 'hot' AND media_id = $1",
      [third.id],
    );
    assert.equal(receipt?.outcome, "renamed");
  },
});

Deno.test({
  ...DISKS,
  name:
    "a disk unmounted under a running worker ends it, and not one byte goes into the mount point",
  fn: async () => {
    const random = new Random(options.seed);
    await using shelf = await Shelf.open();
    const image = await shelf.format("disk.img", "ext4", "320M");
    const place = join(shelf.directory, "disk");
    {
      await using mount = await Mount.at(image, place);
      await using world = await template().world({ hot: join(mount.path, "root") });
      await world.submitMany(random, 10);
      await using hot = world.start("hot");
      await hot.says(/stored \d+ media/);
      await mount.unmount({ lazy: true });
      await world.submitMany(random, 10);
      assert.equal((await hot.ended).code, 4, hot.output);
      assert.equal((await readTree(place)).size, 0);
      assert.ok(await world.receipts("hot") <= 10);
      // A restart meets the empty mount point, also where somebody has made the root's directory again.
      assert.equal((await world.drainOnce("hot")).code, 4);
      await Deno.mkdir(join(place, "root"));
      assert.equal((await world.drainOnce("hot")).code, 4);
      assert.equal((await readTree(place)).size, 1);
      await Deno.remove(join(place, "root"));
      await using again = await Mount.at(image, place);
      assert.ok(again.path === place);
      await world.drainAll();
      await world.requireInvariants();
    }
  },
});

for (
  const [what, change] of Object.entries({
    "is gone": (path: string) => Deno.remove(path),
    "is another storage's": (path: string, other: string) =>
      replace(path, Deno.readTextFileSync(other)),
    "is a copy of itself": (path: string) => replace(path, Deno.readTextFileSync(path)),
    "is empty": (path: string) => replace(path, ""),
  })
) {
  Deno.test({
    ...requireTools([]),
    name: `a worker whose storage.json ${what} stores nothing more and ends`,
    fn: async () => {
      const random = new Random(options.seed);
      await using world = await template().world();
      const path = join(world.root("hot"), ".omoide/storage.json");
      await world.submitMany(random, 5);
      await using hot = world.start("hot");
      await until("five are stored", async () => await world.receipts("hot") === 5);
      await change(path, join(world.root("cold"), ".omoide/storage.json"));
      const before = await readTree(world.root("hot"));
      await world.submitMany(random, 5);
      assert.equal((await hot.ended).code, 4, hot.output);
      assert.equal(await world.receipts("hot"), 5);
      assert.equal((await readTree(world.root("hot"))).size, before.size);
    },
  });
}

async function replace(path: string, text: string): Promise<void> {
  await Deno.remove(path);
  await Deno.writeTextFile(path, text);
}

/** Media that share no directory but those of the skeleton, and no type with the third. */
async function submitEachInItsOwnPlace(
  world: World,
  random: Random,
  count: number,
): Promise<Submitted[]> {
  const media: Submitted[] = [];
  while (media.length < count) {
    const bytes = random.bytes(5_000);
    const ownerUuid = random.uuid();
    const mediaType = media.length === 2 ? "preview" : "content";
    media.push(await world.submit(bytes, { ownerUuid, itemUuid: random.uuid(), mediaType }));
  }
  return media;
}

async function requireDistrusted(world: World): Promise<void> {
  const [row] = await world.query<{ reason: string }>(
    "SELECT distrusted_reason AS reason FROM omoide.storage WHERE name = 'hot'",
  );
  assert.ok((row?.reason ?? "").length > 10, `not distrusted: ${row?.reason}`);
  const receipts = await world.receipts("hot");
  assert.equal((await world.drainOnce("hot")).code, 5);
  assert.equal(await world.receipts("hot"), receipts);
}

/** What an administrator does once the disk is fixed. */
async function trustAndDrain(world: World): Promise<void> {
  const where = ["--root", world.root("hot"), "--database", world.server.url(world.database)];
  await admin("storage", "trust", "hot", "--remounted", "--redeliver", ...where);
  await world.drainAll();
  await world.requireInvariants();
}
