import assert from "node:assert/strict";
import { type PauseReason, StorageDistrustedError, StoragePausedError } from "../../src/errors.ts";
import { objectPath } from "../lab/first_format.ts";
import type { WriteOnceStorage } from "../../src/storage/storage.ts";
import { type Call, Fault } from "./support/calls.ts";
import { objectsIn, someBytes, store, storeOne, TestStorage, WAYS } from "./support/roots.ts";
import { mediaOf } from "../support/media.ts";

const REASONS: readonly (readonly [string, PauseReason])[] = [
  ["ENOSPC", "no space"],
  ["EDQUOT", "quota"],
  ["EROFS", "read-only"],
];

function requirePause(reason: PauseReason): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StoragePausedError, String(error));
    assert.equal(error.reason, reason);
    assert.ok(/; (make room|raise the quota|see why)/.test(error.message), error.message);
    return true;
  };
}

/** A file system on which whatever adds to it fails. */
function failing(code: string): (call: Call) => string | null {
  return ({ name }) => ["openNew", "write", "link", "mkdir"].includes(name) ? code : null;
}

async function tryManyTimes(storage: WriteOnceStorage, reason: PauseReason): Promise<void> {
  const bytes = someBytes(1000);
  for (let i = 0; i < 20; i++) {
    await storage.wouldAccept(1000).catch(() => {});
    for (const way of WAYS) {
      await assert.rejects(store(storage, mediaOf(bytes), bytes, way), requirePause(reason));
    }
  }
}

for (const [code, reason] of REASONS) {
  Deno.test(`${code} while creating pauses, leaves nothing however often it is tried, and passes`, async () => {
    using test = new TestStorage();
    const fault = new Fault();
    const storage = await test.open({ calls: fault.calls });
    const bytes = someBytes(1000);
    fault.set(failing(code));
    await tryManyTimes(storage, reason);
    assert.deepEqual(objectsIn(test.root), []);
    fault.clear();
    // Until it is asked, the storage stays as it is: no call is made.
    await assert.rejects(store(storage, mediaOf(bytes), bytes), requirePause(reason));
    assert.ok(await storage.wouldAccept(1000));
    assert.equal((await storeOne(storage, mediaOf(bytes), bytes)).outcome, "stored");
    assert.equal(objectsIn(test.root).length, 1);
  });

  Deno.test(`${code} while writing leaves one file, and appends to it to see whether it has passed`, async () => {
    for (const way of WAYS) {
      using test = new TestStorage();
      const fault = new Fault();
      const storage = await test.open({ calls: fault.calls });
      const bytes = someBytes(200_000);
      const media = mediaOf(bytes);
      const full = ({ name }: Call) => name === "write" ? code : null;
      fault.set(full);
      await assert.rejects(store(storage, media, bytes, way), requirePause(reason));
      for (let look = 0; look < 10; look++) {
        assert.equal(await storage.wouldAccept(media.size), false);
        await assert.rejects(store(storage, mediaOf(bytes), bytes, way), requirePause(reason));
      }
      assert.equal(objectsIn(test.root).length, 1);
      fault.clear();
      assert.ok(await storage.wouldAccept(media.size));
      assert.equal((await storeOne(storage, media, bytes, way)).outcome, "stored");
      assert.equal(objectsIn(test.root).length, 2);
      assert.equal(Deno.lstatSync(test.at(objectPath(media))).nlink, 1);
      assert.equal(Deno.lstatSync(test.at(objectPath(media, 2))).nlink, 2);
    }
  });

  Deno.test(`${code} while linking costs no second file: what is written is linked when it has passed`, async () => {
    using test = new TestStorage();
    const fault = new Fault();
    const storage = await test.open({ calls: fault.calls });
    const all = Array.from({ length: 20 }, (_, i) => {
      const bytes = someBytes(100 + i);
      return { bytes, media: mediaOf(bytes) };
    });
    const batch = await storage.beginBatch();
    for (const { media, bytes } of all) await batch.storeBytes(media, bytes);
    let links = 0;
    fault.set(({ name }) => name === "link" && ++links > 5 ? code : null);
    const { stored, notStored, paused } = await batch.publish();
    assert.equal(stored.length, 5);
    assert.deepEqual(notStored, []);
    requirePause(reason)(paused);
    // Not even asked for again: what failed once is not tried on the other fourteen.
    assert.equal(links, 6);

    fault.clear();
    assert.ok(await storage.wouldAccept(1000));
    for (const { media, bytes } of all.slice(5)) {
      assert.equal((await storeOne(storage, media, bytes)).outcome, "stored");
    }
    const objects = objectsIn(test.root);
    assert.equal(objects.length, 20);
    assert.ok(objects.every((name) => !name.includes(".")));
  });
}

Deno.test("no room for a file where bytes are free is told as no inodes", async () => {
  using test = new TestStorage();
  const fault = new Fault();
  let inodesFree: number | null = null;
  const storage = await test.open({
    calls: {
      ...fault.calls,
      statfs: (path) => {
        const space = fault.calls.statfs(path);
        return inodesFree === null ? space : { ...space, inodesFree };
      },
    },
  });
  const bytes = someBytes(10);
  fault.set(({ name }) => {
    if (name !== "openNew") return null;
    inodesFree = 0;
    return "ENOSPC";
  });
  await assert.rejects(store(storage, mediaOf(bytes), bytes), (error) => {
    assert.ok(error instanceof StoragePausedError);
    assert.equal(error.reason, "no inodes");
    return true;
  });
});

Deno.test("what a batch took before a pause is published", async () => {
  using test = new TestStorage();
  const fault = new Fault();
  const storage = await test.open({ calls: fault.calls });
  const bytes = someBytes(1000);
  const batch = await storage.beginBatch();
  const before = [mediaOf(bytes), mediaOf(bytes)];
  for (const media of before) await batch.storeBytes(media, bytes);
  fault.set(({ name }) => name === "write" ? "ENOSPC" : null);
  await assert.rejects(batch.storeBytes(mediaOf(bytes), bytes), StoragePausedError);
  await assert.rejects(batch.storeBytes(mediaOf(bytes), bytes), StoragePausedError);
  const { stored, paused } = await batch.publish();
  assert.deepEqual(stored.map(({ media }) => media), before);
  assert.equal(paused, null);
});

Deno.test("a pause met by two batches at once leaves one file", async () => {
  using test = new TestStorage();
  const fault = new Fault();
  const storage = await test.open({ calls: fault.calls });
  const bytes = someBytes(1000);
  const batches = [await storage.beginBatch(), await storage.beginBatch()];
  fault.set(({ name }) => name === "write" ? "ENOSPC" : null);
  for (const batch of batches) {
    await assert.rejects(batch.storeBytes(mediaOf(bytes), bytes), StoragePausedError);
  }
  assert.equal(objectsIn(test.root).length, 1);
});

Deno.test("a pause that finds a failing disk when it looks again is over: the disk is distrusted", async () => {
  using test = new TestStorage();
  const fault = new Fault();
  const storage = await test.open({ calls: fault.calls });
  const bytes = someBytes(1000);
  fault.set(({ name }) => name === "write" ? "ENOSPC" : null);
  await assert.rejects(store(storage, mediaOf(bytes), bytes), StoragePausedError);
  fault.set(({ name }) => name === "write" ? "EIO" : null);
  await assert.rejects(storage.wouldAccept(1), StorageDistrustedError);
  await assert.rejects(storage.beginBatch(), StorageDistrustedError);
});

Deno.test("an object that waits for its name is written again if it was tampered with meanwhile", async () => {
  for (const tamper of ["removed", "replaced", "grown"]) {
    using test = new TestStorage();
    const fault = new Fault();
    const storage = await test.open({ calls: fault.calls });
    const bytes = someBytes(1000);
    const media = mediaOf(bytes);
    fault.set(({ name }) => name === "link" ? "ENOSPC" : null);
    assert.ok((await store(storage, media, bytes)).paused !== null);
    fault.clear();
    const path = test.at(objectPath(media));
    if (tamper === "removed" || tamper === "replaced") Deno.removeSync(path);
    if (tamper === "replaced") Deno.writeFileSync(path, bytes.map((byte) => byte ^ 1));
    if (tamper === "grown") {
      Deno.chmodSync(path, 0o640);
      Deno.writeFileSync(path, bytes, { append: true });
    }
    assert.ok(await storage.wouldAccept(1000));
    assert.equal((await storeOne(storage, media, bytes)).outcome, "stored");
    const attempt = tamper === "removed" ? 1 : 2;
    assert.deepEqual(Deno.readFileSync(test.at(objectPath(media, attempt))), bytes, tamper);
    assert.equal(Deno.lstatSync(test.at(objectPath(media, attempt))).nlink, 2, tamper);
  }
});

Deno.test("an object that waits for its name is not taken for another media of the same id", async () => {
  using test = new TestStorage();
  const fault = new Fault();
  const storage = await test.open({ calls: fault.calls });
  const bytes = someBytes(1000);
  const media = mediaOf(bytes);
  fault.set(({ name }) => name === "link" ? "ENOSPC" : null);
  assert.ok((await store(storage, media, bytes)).paused !== null);
  fault.clear();
  assert.ok(await storage.wouldAccept(1000));
  // Ids come again after a database was restored.
  const others = someBytes(1000);
  const other = mediaOf(others, { id: media.id });
  assert.equal((await storeOne(storage, other, others)).outcome, "stored");
  assert.deepEqual(Deno.readFileSync(test.at(objectPath(other))), others);
});
