import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import {
  ConfigurationError,
  MediaFailureError,
  StorageLostError,
  StoragePausedError,
} from "../../src/errors.ts";
import { checkRoot } from "../../src/storage/check_root.ts";
import { fileCalls } from "../../src/storage/file_calls.ts";
import { publicPath } from "../../src/storage/layout.ts";
import { openStorage } from "../../src/storage/open_storage.ts";
import type { WriteOnceStorage } from "../../src/storage/storage.ts";
import { requireTools } from "../support/require_tool.ts";
import { cover, DISK_TOOLS, TestDisk } from "./support/disks.ts";
import { describeTree, makeRoot, objectsIn, someBytes, store, storeOne } from "./support/roots.ts";
import { mediaOf } from "../support/media.ts";

const DISKS = requireTools(DISK_TOOLS, { root: true });
/** Many kernels are built without it, and no package can fix that. */
const VFAT = kernelKnows("vfat")
  ? requireTools([...DISK_TOOLS, "mkfs.vfat"], { root: true })
  : { ignore: true };
const MiB = 1024 * 1024;
const little = someBytes(9);

/** What statfs would tell, were there always room: so that the kernel itself has to say no. */
const BLIND = {
  ...fileCalls,
  statfs: (path: string) => ({
    ...fileCalls.statfs(path),
    blocksAvailable: 2 ** 40,
    inodesFree: 2 ** 30,
  }),
};

/** Stores media of this size until the storage pauses. */
async function fill(storage: WriteOnceStorage, size: number): Promise<StoragePausedError> {
  const bytes = someBytes(size);
  const ownerUuid = crypto.randomUUID();
  for (;;) {
    try {
      const batch = await storage.beginBatch();
      let paused: StoragePausedError | null = null;
      for (let i = 0; i < 8 && paused === null; i++) {
        await batch.storeBytes(mediaOf(bytes, { ownerUuid }), bytes).catch((error) => {
          if (!(error instanceof StoragePausedError)) throw error;
          paused = error;
        });
      }
      const published = await batch.publish();
      assert.deepEqual(published.notStored, []);
      paused ??= published.paused;
      if (paused !== null) return paused;
    } catch (error) {
      if (error instanceof StoragePausedError) return error;
      throw error;
    }
  }
}

/** Objects that have no public name. */
function orphans(root: string): string[] {
  return objectsIn(root).filter((name) =>
    Deno.lstatSync(`${root}/.omoide/objects/${name.slice(0, 2)}/${name}`).nlink === 1
  );
}

function free(root: string): number {
  const { bavail, bsize } = statfsSync(root);
  return bavail * bsize;
}

for (
  const [system, size] of [["ext4", 24 * MiB], ["xfs", 300 * MiB]] as const
) {
  Deno.test({
    ...DISKS,
    name: `on ${system} a full disk pauses the storage with at most one orphan, and it goes on`,
    async fn() {
      for (const calls of [fileCalls, BLIND]) {
        await using disk = await TestDisk.make(system, size);
        disk.init();
        const filler = disk.at("filler");
        const file = Deno.openSync(filler, { write: true, createNew: true });
        for (let left = free(disk.root) - 6 * MiB; left > 0; left -= MiB) {
          file.writeSync(someBytes(MiB));
        }
        file.syncSync();
        file.close();
        const storage = await disk.open({ calls });
        const paused = await fill(storage, 300_000);
        assert.equal(paused.reason, "no space");
        const most = calls === BLIND ? 1 : 0;
        const largeBytes = someBytes(300_000);
        const large = mediaOf(largeBytes);
        for (let i = 0; i < 10; i++) {
          const accepts = await storage.wouldAccept(300_000);
          // Where only creating a file fails, there is no orphan to ask, and none comes of trying.
          if (calls !== BLIND) assert.equal(accepts, false);
          await assert.rejects(store(storage, large, largeBytes), StoragePausedError);
        }
        assert.ok(orphans(disk.root).length <= most, orphans(disk.root).join());
        Deno.removeSync(filler);
        await waitForSpace(disk.root, 2 * MiB);
        assert.equal(await storage.wouldAccept(300_000), true);
        const bytes = someBytes(300_000);
        const media = mediaOf(bytes);
        assert.equal((await storeOne(storage, media, bytes)).outcome, "stored");
        assert.deepEqual(Deno.readFileSync(disk.at(publicPath(media, 2))), bytes);
        assert.ok(orphans(disk.root).length <= most);
      }
    },
  });

  Deno.test({
    ...DISKS,
    name: `on ${system} a large media that does not fit is refused before it is created`,
    async fn() {
      await using disk = await TestDisk.make(system, size);
      disk.init();
      const storage = await disk.open();
      const { bytes: free, totalBytes } = await storage.freeSpace();
      const batch = await storage.beginBatch();
      const createOne = (size: number) =>
        batch.createObject({ ...mediaOf(new Uint8Array(0)), size });
      // More than the whole disk is that media's trouble alone: no pause would ever end.
      await assert.rejects(createOne(totalBytes + 1), MediaFailureError);
      await assert.rejects(
        createOne(Math.ceil((free + totalBytes) / 2) - 16_384),
        StoragePausedError,
      );
      assert.deepEqual(objectsIn(disk.root), []);
    },
  });

  Deno.test({
    ...DISKS,
    name:
      `on ${system} a disk remounted read-only pauses the storage, which goes on when it is fixed`,
    async fn() {
      await using disk = await TestDisk.make(system, size);
      disk.init();
      const storage = await disk.open();
      const bytes = someBytes(1000);
      const before = mediaOf(bytes);
      const batch = await storage.beginBatch();
      await batch.storeBytes(before, bytes);
      assert.equal((await batch.publish()).stored.length, 1);
      const tree = describeTree(disk.root);
      await disk.mount.remount("ro");
      for (let i = 0; i < 3; i++) {
        await assert.rejects(store(storage, mediaOf(bytes), bytes), (error) => {
          assert.ok(error instanceof StoragePausedError);
          assert.equal(error.reason, "read-only");
          return true;
        });
        assert.equal(await storage.wouldAccept(1000), false);
      }
      // What is there already is none the worse for it.
      const again = await store(storage, before, bytes).catch((error) => error);
      assert.ok(again instanceof StoragePausedError);
      await disk.mount.remount("rw");
      assert.equal(await storage.wouldAccept(1000), true);
      assert.deepEqual(describeTree(disk.root), tree);
      assert.equal((await storeOne(storage, mediaOf(bytes), bytes)).outcome, "stored");
    },
  });

  Deno.test({
    ...DISKS,
    name: `on ${system} a disk that goes read-only before the links costs no second file`,
    async fn() {
      await using disk = await TestDisk.make(system, size);
      disk.init();
      const MEDIA = 8;
      const written = new Set<Deno.FsFile>();
      let closed = 0;
      const allClosed = Promise.withResolvers<void>();
      const storage = await disk.open({
        calls: {
          ...fileCalls,
          syncData: (file) => {
            written.add(file);
            return fileCalls.syncData(file);
          },
          close: (file) => {
            fileCalls.close(file);
            // A file that is still open for writing would keep the file system from becoming read-only.
            if (written.delete(file) && ++closed === MEDIA) allClosed.resolve();
          },
        },
      });
      const media = Array.from({ length: MEDIA }, () => {
        const bytes = someBytes(5000);
        return { media: mediaOf(bytes), bytes };
      });
      const batch = await storage.beginBatch();
      for (const each of media) await batch.storeBytes(each.media, each.bytes);
      await allClosed.promise;
      await disk.mount.remount("ro");
      const { stored, notStored, paused } = await batch.publish();
      assert.deepEqual([stored, notStored, paused?.reason], [[], [], "read-only"]);
      await disk.mount.remount("rw");
      assert.equal(await storage.wouldAccept(5000), true);
      for (const each of media) {
        assert.equal((await storeOne(storage, each.media, each.bytes)).outcome, "stored");
      }
      assert.equal(objectsIn(disk.root).length, MEDIA);
    },
  });

  Deno.test({
    ...DISKS,
    name: `on ${system} a disk that is unmounted ends the storage, and the mount point stays empty`,
    async fn() {
      await using disk = await TestDisk.make(system, size);
      disk.init();
      const storage = await disk.open();
      const bytes = someBytes(100_000);
      const [taken, coming] = [await storage.beginBatch(), await storage.beginBatch()];
      const media = mediaOf(bytes);
      await taken.storeBytes(media, bytes);
      const writer = await coming.createObject(mediaOf(bytes));
      await writer.write(bytes.subarray(0, 50_000));
      await disk.mount.unmount({ lazy: true });
      // The open file still takes bytes; nothing of it is published.
      await writer.write(bytes.subarray(50_000));
      await writer.close();
      await assert.rejects(coming.storeBytes(mediaOf(bytes), bytes), StorageLostError);
      await assert.rejects(coming.publish(), StorageLostError);
      await assert.rejects(taken.publish(), StorageLostError);
      await assert.rejects(storage.beginBatch(), StorageLostError);
      await assert.rejects(disk.open(), StorageLostError);
      assert.deepEqual(describeTree(disk.root), []);
    },
  });
}

Deno.test({
  ...DISKS,
  name: "another storage mounted in its place ends the storage before a byte is written there",
  async fn() {
    await using disk = await TestDisk.make("ext4", 24 * MiB);
    await using other = await TestDisk.make("ext4", 24 * MiB);
    disk.init();
    other.init();
    const before = describeTree(other.root);
    const storage = await disk.open();
    const bytes = someBytes(1000);
    const batch = await storage.beginBatch();
    await batch.storeBytes(mediaOf(bytes), bytes);
    {
      await using _cover = await cover(disk.root, other.root);
      await assert.rejects(batch.publish(), StorageLostError);
      await assert.rejects(storage.beginBatch(), StorageLostError);
    }
    assert.deepEqual(describeTree(other.root), before);
  },
});

Deno.test({
  ...DISKS,
  name: "a disk without free inodes pauses the storage, leaves nothing, and it goes on",
  async fn() {
    for (const calls of [fileCalls, BLIND]) {
      await using disk = await TestDisk.make("ext4", 24 * MiB, "-N", "512");
      disk.init();
      const storage = await disk.open({ calls });
      Deno.mkdirSync(disk.at("many"));
      let many = 0;
      const { ffree } = statfsSync(disk.root);
      for (; many < ffree - 30; many++) Deno.writeTextFileSync(disk.at(`many/${many}`), "");
      const paused = await fill(storage, 10);
      // Whoever believes statfs is told why by the failed call, and cannot look it up.
      assert.equal(paused.reason, calls === BLIND ? "no space" : "no inodes");
      for (let i = 0; i < 10; i++) {
        await storage.wouldAccept(10);
        await assert.rejects(store(storage, mediaOf(little), little), StoragePausedError);
      }
      assert.deepEqual(orphans(disk.root), []);
      for (let i = 0; i < 10; i++) Deno.removeSync(disk.at(`many/${i}`));
      assert.equal(await storage.wouldAccept(10), true);
      const bytes = someBytes(10);
      assert.equal((await storeOne(storage, mediaOf(bytes), bytes)).outcome, "stored");
    }
  },
});

Deno.test({
  ...DISKS,
  name: "a file system that is mounted below the root is noticed at the start",
  async fn() {
    await using disk = await TestDisk.make("ext4", 24 * MiB);
    await using other = await TestDisk.make("ext4", 24 * MiB);
    disk.init();
    await using _cover = await cover(disk.at("preview"), other.root);
    await assert.rejects(disk.open(), /preview is on another file system/);
  },
});

Deno.test({
  ...VFAT,
  name: "a file system without mode bits and hard links is refused by every way in",
  async fn() {
    await using disk = await TestDisk.make("vfat", 24 * MiB);
    assert.throws(() => disk.init(), /use .*ext4 or XFS/);
    const root = disk.at("copied");
    makeRoot(root);
    const bytes = someBytes(10);
    const storage = await openStorage(root, { storage: "hot" });
    await assert.rejects(store(storage, mediaOf(bytes), bytes), ConfigurationError);
    storage.close();
    const findings = await checkRoot(root, { storage: "hot" });
    assert.deepEqual(
      findings.filter(({ ok }) => !ok).map(({ name }) => name),
      ["mode bits", "hard link"],
    );
  },
});

function kernelKnows(system: string): boolean {
  if (Deno.build.os !== "linux") return false;
  const knows = new RegExp(`^\\t${system}$`, "m").test(Deno.readTextFileSync("/proc/filesystems"));
  if (!knows) console.error(`left out: this kernel has no ${system}`);
  return knows;
}

/** XFS gives back the space of a file in the background. */
async function waitForSpace(root: string, bytes: number): Promise<void> {
  using directory = Deno.openSync(root);
  while (free(root) < bytes) await directory.sync();
}
