import assert from "node:assert/strict";
import { type PauseReason, StoragePausedError } from "../../src/errors.ts";
import { fileCalls, type FileSystemSpace } from "../../src/storage/file_calls.ts";
import { type Reserve, Space } from "../../src/storage/space.ts";
import { objectsIn, someBytes, store, storeOne, TestStorage } from "./support/roots.ts";
import { mediaOf } from "../support/media.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A file system whose free space is what a test says. */
class Disk {
  asked = 0;
  space: FileSystemSpace = {
    type: 0xef53,
    blockSize: 4 * KiB,
    blocks: 1024,
    blocksAvailable: 1024,
    inodes: 1000,
    inodesFree: 1000,
  };
  readonly calls = {
    ...fileCalls,
    statfs: () => {
      this.asked += 1;
      return this.space;
    },
  };

  free(change: Partial<FileSystemSpace>): void {
    this.space = { ...this.space, ...change };
  }

  under(reserve: Reserve): Space {
    const space = new Space("/root", reserve, this.calls);
    space.measure();
    return space;
  }
}

function requirePause(reason: PauseReason) {
  return (error: unknown) => {
    assert.ok(error instanceof StoragePausedError);
    assert.equal(error.reason, reason);
    return true;
  };
}

Deno.test("media are taken until the next would reach into the reserve", () => {
  const disk = new Disk();
  // 4 MiB, of which 1 MiB is kept: 3 MiB less a few blocks' worth of directories.
  const space = disk.under({ bytes: MiB });
  for (let i = 0; i < 2; i++) space.take(MiB);
  // The file system has it by now.
  disk.free({ blocksAvailable: 512 });
  assert.throws(() => space.take(MiB), requirePause("reserve"));
  space.take(MiB - 12 * KiB);
  disk.free({ blocksAvailable: 256 });
  assert.throws(() => space.take(0), requirePause("reserve"));
});

Deno.test("a share of the reserve is of bytes and of inodes", () => {
  const disk = new Disk();
  const space = disk.under({ fraction: 0.05 });
  space.take(3 * MiB);
  disk.free({ inodesFree: 53 });
  disk.under({ fraction: 0.05 }).take(0);
  disk.free({ inodesFree: 52 });
  assert.throws(() => disk.under({ fraction: 0.05 }).take(0), requirePause("reserve"));
  disk.under({ bytes: 0 }).take(0);
  disk.free({ inodesFree: 1000, blocksAvailable: 55 });
  disk.under({ fraction: 0.05 }).take(0);
  disk.free({ blocksAvailable: 54 });
  assert.throws(() => disk.under({ fraction: 0.05 }).take(0), requirePause("reserve"));
});

Deno.test("what would not fit without any reserve is told as no space, or no inodes", () => {
  const disk = new Disk();
  assert.throws(() => disk.under({ fraction: 0.05 }).take(5 * MiB), requirePause("no space"));
  disk.free({ inodesFree: 2 });
  assert.throws(() => disk.under({ bytes: 0 }).take(1), requirePause("no inodes"));
});

Deno.test("a file system without a number of inodes never runs out of them", () => {
  const disk = new Disk();
  disk.free({ inodes: 0, inodesFree: 0 });
  disk.under({ fraction: 0.05 }).take(1);
});

Deno.test("the file system is asked only when what is known no longer suffices", () => {
  const disk = new Disk();
  const space = disk.under({ bytes: 0 });
  assert.equal(disk.asked, 1);
  for (let i = 0; i < 64; i++) space.take(40 * KiB);
  assert.equal(disk.asked, 1);
  for (let i = 0; i < 64; i++) space.take(40 * KiB);
  assert.equal(disk.asked, 2);
});

Deno.test("bytes that are still to come of a large media are set aside", () => {
  const disk = new Disk();
  const space = disk.under({ bytes: 0 });
  space.take(3 * MiB);
  const reservation = space.reserve(3 * MiB);
  assert.ok(!space.fits(MiB));
  // A third is written, and the file system knows it.
  reservation.use(MiB);
  disk.free({ blocksAvailable: 768 });
  space.measure();
  assert.ok(!space.fits(MiB));
  assert.ok(space.fits(900 * KiB));
  reservation.end();
  space.measure();
  assert.ok(space.fits(2 * MiB));
});

Deno.test("free space is told as the file system tells it, the reserve not taken off", () => {
  const disk = new Disk();
  assert.deepEqual(disk.under({ fraction: 0.5 }).measure(), {
    bytes: 4 * MiB,
    totalBytes: 4 * MiB,
    inodes: 1000,
    totalInodes: 1000,
  });
});

Deno.test("a storage under its reserve pauses before it leaves anything, and goes on by itself", async () => {
  using test = new TestStorage();
  const disk = new Disk();
  const storage = await test.open({ calls: disk.calls, reserve: { bytes: MiB } });
  const bytes = someBytes(2 * MiB);
  const media = mediaOf(bytes);
  disk.free({ blocksAvailable: 700 });
  await assert.rejects(store(storage, media, bytes), requirePause("reserve"));
  await assert.rejects(store(storage, media, bytes, "in pieces"), requirePause("reserve"));
  assert.deepEqual(objectsIn(test.root), []);
  assert.deepEqual([...Deno.readDirSync(test.at("content"))], []);
  assert.equal(await storage.wouldAccept(2 * MiB), false);
  // For a smaller one there is room.
  assert.equal(await storage.wouldAccept(MiB), true);
  await assert.rejects(store(storage, media, bytes), requirePause("reserve"));
  disk.free({ blocksAvailable: 1024 });
  assert.equal(await storage.wouldAccept(2 * MiB), true);
  assert.equal((await storeOne(storage, media, bytes)).outcome, "stored");
});

Deno.test("what a large media has written already is not counted twice", async () => {
  using test = new TestStorage();
  const disk = new Disk();
  const storage = await test.open({ calls: disk.calls });
  const bytes = someBytes(3 * MiB);
  const batch = await storage.beginBatch();
  const writer = await batch.createObject(mediaOf(bytes));
  assert.equal(await storage.wouldAccept(MiB), false);
  await writer.write(bytes.subarray(0, 2 * MiB));
  disk.free({ blocksAvailable: 512 });
  assert.equal(await storage.wouldAccept(900 * KiB), true);
  assert.equal(await storage.wouldAccept(MiB), false);
  writer.abandon();
  assert.equal(await storage.wouldAccept(MiB), true);
});
