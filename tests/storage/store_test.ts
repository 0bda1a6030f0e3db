import assert from "node:assert/strict";
import { MediaDefectError } from "../../src/errors.ts";
import { renamedName } from "../../src/media.ts";
import { publicPath } from "../../src/storage/layout.ts";
import { objectPath } from "../lab/first_format.ts";
import {
  describeTree,
  objectsIn,
  someBytes,
  store,
  storeOne,
  TestStorage,
  WAYS,
} from "./support/roots.ts";
import { mediaOf } from "../support/media.ts";

const CHUNK = 256 * 1024;

for (const way of WAYS) {
  for (
    const [name, size] of [
      ["empty", 0],
      ["one byte long", 1],
      ["exactly one chunk", CHUNK],
      ["one chunk and a byte", CHUNK + 1],
      ["64 MiB", 64 * 1024 * 1024],
    ] as const
  ) {
    Deno.test(`a media that is ${name}, handed over ${way}, is stored under both its names`, async () => {
      using test = new TestStorage("disk");
      const storage = await test.open();
      const bytes = someBytes(size);
      const media = mediaOf(bytes);
      assert.deepEqual(await storeOne(storage, media, bytes, way), {
        outcome: "stored",
        path: null,
      });
      const object = Deno.lstatSync(test.at(objectPath(media)));
      const shown = Deno.lstatSync(test.at(publicPath(media, 2)));
      assert.equal(object.ino, shown.ino);
      assert.equal(object.nlink, 2);
      assert.equal((object.mode ?? 0) & 0o7777, 0o440);
      assert.ok(
        Deno.readFileSync(test.at(publicPath(media, 2))).every((byte, i) => byte === bytes[i]),
      );
      assert.equal(object.size, size);
    });
  }

  Deno.test(`bytes that are not the media's, handed over ${way}, are never published`, async () => {
    using test = new TestStorage("disk");
    const storage = await test.open();
    const bytes = someBytes(100_000);
    const flipped = bytes.slice();
    flipped[99_999] = (flipped[99_999] ?? 0) ^ 1;
    for (
      const wrong of [flipped, bytes.slice(1), new Uint8Array([...bytes, 0]), new Uint8Array(0)]
    ) {
      const media = mediaOf(bytes);
      await assert.rejects(store(storage, media, wrong, way), MediaDefectError);
      assert.equal(Deno.lstatSync(test.root).isDirectory, true);
      await assert.rejects(Deno.lstat(test.at(publicPath(media, 2))), Deno.errors.NotFound);
      // In memory they are checked before anything is written.
      if (way === "in one go") assert.deepEqual(objectsIn(test.root), []);
      // The right ones are taken all the same, beside what the wrong ones left.
      assert.equal((await storeOne(storage, { ...media }, bytes, way)).outcome, "stored");
      Deno.removeSync(test.at(".omoide/objects"), { recursive: true });
      for (let i = 0; i < 256; i++) {
        const name = i.toString(16).padStart(2, "0");
        Deno.mkdirSync(test.at(`.omoide/objects/${name}`), { recursive: true });
      }
    }
  });

  Deno.test(`a name that would leave its directory, handed over ${way}, is no media`, async () => {
    using test = new TestStorage("disk");
    const storage = await test.open();
    const bytes = someBytes(10);
    const before = describeTree(test.root);
    for (
      const wrong of [
        { ext: "../../x" },
        { ext: "" },
        { ext: "a".repeat(17) },
        { ownerUuid: ".." },
        { ownerUuid: "01234567-89AB-4def-8123-456789abcdef" },
        { itemUuid: "../../../../../../etc/cron.d/01234567" },
        { mediaType: ".omoide" as "content" },
        { publicName: "other.jpg" },
        { publicName: "../x" },
        { sha256: "../../../../x" },
      ]
    ) await assert.rejects(store(storage, mediaOf(bytes, wrong), bytes, way), MediaDefectError);
    assert.deepEqual(describeTree(test.root), before);
  });
}

Deno.test("a piece may change once it has been taken", async () => {
  using test = new TestStorage("disk");
  const storage = await test.open();
  const bytes = someBytes(5000);
  const media = [mediaOf(bytes), mediaOf(bytes)] as const;
  const batch = await storage.beginBatch();
  const reused = bytes.slice();
  await batch.storeBytes(media[0], reused);
  reused.fill(0);
  reused.set(bytes);
  const writer = await batch.createObject(media[1]);
  await writer.write(reused);
  reused.fill(0);
  await writer.close();
  assert.equal((await batch.publish()).stored.length, 2);
  for (const each of media) {
    assert.deepEqual(Deno.readFileSync(test.at(publicPath(each, 2))), bytes);
  }
});

Deno.test("many media share a batch, and each comes back once", async () => {
  using test = new TestStorage("disk");
  const storage = await test.open({ writers: 4 });
  const all = Array.from({ length: 300 }, (_, i) => {
    const bytes = someBytes(i);
    return { media: mediaOf(bytes, { mediaType: i % 2 ? "preview" : "thumbnail" }), bytes };
  });
  const batch = await storage.beginBatch();
  for (const { media, bytes } of all) await batch.storeBytes(media, bytes);
  const { stored, notStored, paused } = await batch.publish();
  assert.deepEqual([notStored, paused], [[], null]);
  assert.deepEqual(
    stored.map(({ media }) => media.id).sort(),
    all.map(({ media }) => media.id).sort(),
  );
  for (const { media, bytes } of all) {
    assert.deepEqual(Deno.readFileSync(test.at(publicPath(media, 2))), bytes);
  }
});

Deno.test("batches may overlap, and take the same directories", async () => {
  using test = new TestStorage("disk");
  const storage = await test.open({ writers: 2 });
  const ownerUuid = crypto.randomUUID();
  const publishing = [];
  for (let round = 0; round < 5; round++) {
    const batch = await storage.beginBatch();
    for (let i = 0; i < 20; i++) {
      const bytes = someBytes(50);
      await batch.storeBytes(mediaOf(bytes, { ownerUuid }), bytes);
    }
    publishing.push(batch.publish());
  }
  const published = await Promise.all(publishing);
  assert.deepEqual(published.map(({ stored }) => stored.length), [20, 20, 20, 20, 20]);
});

Deno.test("an empty batch publishes nothing, and a batch is published once", async () => {
  using test = new TestStorage("disk");
  const storage = await test.open();
  const before = describeTree(test.root);
  const batch = await storage.beginBatch();
  assert.deepEqual(await batch.publish(), { stored: [], notStored: [], paused: null });
  await assert.rejects(batch.publish(), TypeError);
  await assert.rejects(batch.storeBytes(mediaOf(new Uint8Array(0)), new Uint8Array(0)), TypeError);
  assert.deepEqual(describeTree(test.root), before);
});

Deno.test("an object that was given up stays, unpublished, and harms nobody", async () => {
  using test = new TestStorage("disk");
  const storage = await test.open();
  const bytes = someBytes(200_000);
  const media = mediaOf(bytes);
  const batch = await storage.beginBatch();
  const writer = await batch.createObject(media);
  await writer.write(bytes.subarray(0, 1000));
  writer.abandon();
  writer.abandon();
  await assert.rejects(writer.write(bytes), TypeError);
  await assert.rejects(writer.close(), TypeError);
  assert.deepEqual((await batch.publish()).stored, []);
  assert.equal(Deno.lstatSync(test.at(objectPath(media))).size, 1000);
  assert.equal((await storeOne(storage, media, bytes, "in pieces")).outcome, "stored");
  assert.equal(Deno.lstatSync(test.at(objectPath(media))).size, 1000);
  assert.equal(Deno.lstatSync(test.at(objectPath(media, 2))).nlink, 2);
});

Deno.test("two uploads of the same bytes are two files, each standing alone", async () => {
  using test = new TestStorage("disk");
  const storage = await test.open();
  const bytes = someBytes(1000);
  const media = [mediaOf(bytes), mediaOf(bytes)] as const;
  for (const each of media) {
    assert.deepEqual(await storeOne(storage, each, bytes), { outcome: "stored", path: null });
  }
  const inodes = media.map((each) => Deno.lstatSync(test.at(publicPath(each, 2))).ino);
  assert.ok(inodes[0] !== inodes[1]);
});

Deno.test("a name with a checksum in it, decided when the media was sealed, is its usual one", async () => {
  using test = new TestStorage("disk");
  const storage = await test.open();
  const bytes = someBytes(10);
  const plain = mediaOf(bytes);
  const media = { ...plain, publicName: renamedName(plain) };
  assert.deepEqual(await storeOne(storage, media, bytes), { outcome: "stored", path: null });
  assert.deepEqual(Deno.readFileSync(test.at(publicPath(media, 2))), bytes);
});

Deno.test("the prefix size of the identity decides the directory", async () => {
  for (const prefixSize of [1, 8]) {
    using test = new TestStorage("disk", { prefixSize });
    const storage = await test.open();
    const bytes = someBytes(10);
    const media = mediaOf(bytes);
    await storeOne(storage, media, bytes);
    const prefix = media.itemUuid.slice(0, prefixSize);
    Deno.lstatSync(test.at(`content/${media.ownerUuid}/${prefix}/${media.publicName}`));
  }
});

Deno.test("a storage that was closed takes nothing more", async () => {
  using test = new TestStorage("disk");
  const storage = await test.open();
  const batch = await storage.beginBatch();
  storage.close();
  storage.close();
  await assert.rejects(storage.beginBatch(), /closed/);
  await assert.rejects(storage.freeSpace(), /closed/);
  await assert.rejects(storage.wouldAccept(1), /closed/);
  await assert.rejects(batch.storeBytes(mediaOf(new Uint8Array(0)), new Uint8Array(0)), /closed/);
  await assert.rejects(batch.publish(), /closed/);
});
