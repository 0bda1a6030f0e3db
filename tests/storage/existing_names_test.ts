import assert from "node:assert/strict";
import { MediaFailureError, StorageLostError } from "../../src/errors.ts";
import { type Media, renamedName } from "../../src/media.ts";
import { publicDirectory, publicPath } from "../../src/storage/layout.ts";
import { objectPath } from "../lab/first_format.ts";
import { run } from "../lab/command.ts";
import { Fault, wrapCalls } from "./support/calls.ts";
import {
  describeTree,
  objectsIn,
  Scratch,
  someBytes,
  store,
  storeOne,
  TestStorage,
  WAYS,
} from "./support/roots.ts";
import { mediaOf } from "../support/media.ts";

/** What may have a name already, and does not hold the media's bytes. */
const OTHERS: Record<string, (path: string, bytes: Uint8Array) => void | Promise<unknown>> = {
  "other bytes": (path, bytes) => Deno.writeFileSync(path, bytes.map((byte) => byte ^ 1)),
  "an empty file": (path) => Deno.writeFileSync(path, new Uint8Array(0)),
  "the bytes cut off": (path, bytes) => Deno.writeFileSync(path, bytes.subarray(0, 999)),
  "the bytes and more": (path, bytes) => Deno.writeFileSync(path, new Uint8Array([...bytes, 1])),
  "a directory": (path) => Deno.mkdirSync(path),
  "a FIFO": (path) => run("mkfifo", path),
  "a dangling link": (path) => Deno.symlinkSync("/nowhere/at/all", path),
  "a link to itself": (path) => Deno.symlinkSync(path, path),
  "a link to the same bytes": (path, bytes) => {
    Deno.writeFileSync(`${path}.target`, bytes);
    Deno.symlinkSync(`${path}.target`, path);
  },
};

function put(path: string): string {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o750 });
  return path;
}

function besidePath(media: Media): string {
  return `${publicDirectory(media, 2)}/${renamedName(media)}`;
}

for (const [kind, make] of Object.entries(OTHERS)) {
  Deno.test(`${kind} in the way of a media is never touched, and the media goes beside it`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const bytes = someBytes(1000);
    for (const way of WAYS) {
      const media = mediaOf(bytes);
      const bystander = await inTheWay(test, publicPath(media, 2), make, bytes);
      assert.deepEqual(await storeOne(storage, media, bytes, way), {
        outcome: "renamed",
        path: besidePath(media),
      });
      assert.deepEqual(Deno.readFileSync(test.at(besidePath(media))), bytes);
      assert.equal(Deno.lstatSync(test.at(objectPath(media))).nlink, 2);
      bystander.requireUntouched();
    }
  });

  Deno.test(`${kind} under both public names leaves the media unstored, and one object`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const bytes = someBytes(1000);
    for (const way of WAYS) {
      const media = mediaOf(bytes);
      const bystanders = [
        await inTheWay(test, publicPath(media, 2), make, bytes),
        await inTheWay(test, besidePath(media), make, bytes),
      ];
      const objects = objectsIn(test.root).length;
      for (let round = 0; round < 3; round++) {
        await assert.rejects(storeOne(storage, media, bytes, way), (error) => {
          assert.ok(error instanceof MediaFailureError);
          assert.equal(error.mediaId, media.id);
          assert.ok(error.message.includes(besidePath(media)));
          return true;
        });
      }
      assert.equal(objectsIn(test.root).length, objects + 1);
      for (const bystander of bystanders) bystander.requireUntouched();
    }
  });

  Deno.test(`${kind} under the object's name is never touched, and the object takes the next`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const bytes = someBytes(1000);
    for (const way of WAYS) {
      const media = mediaOf(bytes);
      const bystander = await inTheWay(test, objectPath(media), make, bytes);
      assert.deepEqual(await storeOne(storage, media, bytes, way), {
        outcome: "stored",
        path: null,
      });
      assert.deepEqual(Deno.readFileSync(test.at(objectPath(media, 2))), bytes);
      bystander.requireUntouched();
    }
  });
}

/** Puts something at `path`, and says later whether it is still just that. */
async function inTheWay(
  test: TestStorage,
  path: string,
  make: (path: string, bytes: Uint8Array) => void | Promise<unknown>,
  bytes: Uint8Array,
): Promise<{ requireUntouched(): void }> {
  await make(put(test.at(path)), bytes);
  const directory = test.at(path.slice(0, path.lastIndexOf("/")));
  const name = path.slice(path.lastIndexOf("/") + 1);
  const look = () => describeTree(directory).filter((line) => line.startsWith(`${name}:`));
  const before = look();
  assert.equal(before.length, 1);
  return { requireUntouched: () => assert.deepEqual(look(), before) };
}

for (const way of WAYS) {
  Deno.test(`the same bytes under the public name are present, handed over ${way}`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const bytes = someBytes(200_000);
    const media = mediaOf(bytes);
    Deno.writeFileSync(put(test.at(publicPath(media, 2))), bytes);
    const before = describeTree(test.at("content"));
    assert.deepEqual(await storeOne(storage, media, bytes, way), {
      outcome: "present",
      path: null,
    });
    assert.deepEqual(describeTree(test.at("content")), before);
  });

  Deno.test(`an empty media whose name an empty file has is present, handed over ${way}`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const media = mediaOf(new Uint8Array(0));
    Deno.writeFileSync(put(test.at(publicPath(media, 2))), new Uint8Array(0));
    assert.equal((await storeOne(storage, media, new Uint8Array(0), way)).outcome, "present");
  });

  Deno.test(`a media that comes again, handed over ${way}, is present and leaves nothing new`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const bytes = someBytes(200_000);
    const media = mediaOf(bytes);
    await storeOne(storage, media, bytes, way);
    const before = describeTree(test.root);
    for (let round = 0; round < 3; round++) {
      assert.deepEqual(await storeOne(storage, media, bytes, way), {
        outcome: "present",
        path: null,
      });
    }
    assert.deepEqual(describeTree(test.root), before);
  });

  Deno.test(`a renamed media that comes again, handed over ${way}, is found and leaves nothing new`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const bytes = someBytes(2000);
    const media = mediaOf(bytes);
    Deno.writeTextFileSync(put(test.at(publicPath(media, 2))), "other");
    await storeOne(storage, media, bytes, way);
    const before = describeTree(test.root);
    const found = { outcome: "renamed", path: besidePath(media) };
    assert.deepEqual(await storeOne(storage, media, bytes, way), found);
    assert.deepEqual(describeTree(test.root), before);
  });

  Deno.test(`a media that comes again with wrong bytes, handed over ${way}, is a defect though it is present`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const bytes = someBytes(2000);
    const media = mediaOf(bytes);
    await storeOne(storage, media, bytes, way);
    await assert.rejects(store(storage, media, someBytes(2000), way), { name: "MediaDefectError" });
  });

  Deno.test(`after eight orphans a media, handed over ${way}, is given up on, and asks for a sweep`, async () => {
    using test = new TestStorage();
    const storage = await test.open();
    const bytes = someBytes(1000);
    const media = mediaOf(bytes);
    for (let attempt = 1; attempt <= 7; attempt++) {
      Deno.writeTextFileSync(test.at(objectPath(media, attempt)), "left");
    }
    Deno.writeTextFileSync(test.at(objectPath(media, 8)), "left");
    await assert.rejects(store(storage, media, bytes, way), (error) => {
      assert.ok(error instanceof MediaFailureError);
      assert.ok(/8 attempts.*storage sweep/.test(error.message), error.message);
      return true;
    });
    Deno.removeSync(test.at(objectPath(media, 8)));
    assert.equal((await storeOne(storage, media, bytes, way)).outcome, "stored");
    assert.equal(objectsIn(test.root).length, 8);
  });
}

Deno.test("a public file that cannot be read harms nobody but its name", async () => {
  for (const code of ["EACCES", "EIO"]) {
    for (const name of ["openRead", "read", "lstat"] as const) {
      using test = new TestStorage();
      const fault = new Fault();
      const storage = await test.open({ calls: fault.calls });
      const bytes = someBytes(1000);
      const media = mediaOf(bytes);
      const path = put(test.at(publicPath(media, 2)));
      Deno.writeFileSync(path, bytes);
      fault.set((call) => call.name === name && call.path === path ? code : null);
      assert.deepEqual(await storeOne(storage, media, bytes), {
        outcome: "renamed",
        path: besidePath(media),
      });
      assert.ok(fault.struck > 0);
      assert.equal((await storeOne(storage, mediaOf(bytes), bytes)).outcome, "stored");
    }
  }
});

Deno.test("a FIFO under the name of an empty media does not hang, and a link as long as the media is not followed", async () => {
  using test = new TestStorage();
  const storage = await test.open();
  const empty = new Uint8Array(0);
  const nothing = mediaOf(empty);
  await run("mkfifo", put(test.at(publicPath(nothing, 2))));
  assert.equal((await storeOne(storage, nothing, empty)).outcome, "renamed");
  const target = `${test.root}/target`;
  const bytes = someBytes(target.length);
  const media = mediaOf(bytes);
  Deno.writeFileSync(target, bytes);
  Deno.symlinkSync(target, put(test.at(publicPath(media, 2))));
  assert.equal((await storeOne(storage, media, bytes)).outcome, "renamed");
});

Deno.test("a large public file is compared without holding up everything else", async () => {
  using test = new TestStorage();
  const storage = await test.open();
  const bytes = someBytes(20 * 1024 * 1024);
  const media = mediaOf(bytes);
  await storeOne(storage, media, bytes, "in pieces");
  const order: string[] = [];
  const again = storeOne(storage, media, bytes, "in pieces").then(({ outcome }) =>
    order.push(outcome)
  );
  setTimeout(() => order.push("a heartbeat"), 0);
  await again;
  assert.deepEqual(order, ["a heartbeat", "present"]);
});

Deno.test("a public file that grows while it is compared is something else", async () => {
  using test = new TestStorage();
  const calls = wrapCalls(() => {});
  const bytes = someBytes(1000);
  const media = mediaOf(bytes);
  const path = put(test.at(publicPath(media, 2)));
  Deno.writeFileSync(path, bytes);
  const storage = await test.open({
    calls: {
      ...calls,
      read: (file, into) => {
        if (into.length === 1001) Deno.writeTextFileSync(path, "more", { append: true });
        return calls.read(file, into);
      },
    },
  });
  assert.equal((await storeOne(storage, media, bytes)).outcome, "renamed");
});

Deno.test("two media that want one name in one batch both live", async () => {
  using test = new TestStorage();
  const storage = await test.open();
  const [one, two] = [someBytes(100), someBytes(100)];
  const first = mediaOf(one);
  const second = mediaOf(two, { ownerUuid: first.ownerUuid, itemUuid: first.itemUuid });
  const again = mediaOf(one, { ownerUuid: first.ownerUuid, itemUuid: first.itemUuid });
  const batch = await storage.beginBatch();
  await batch.storeBytes(first, one);
  // Sealed at different times, their names differ; here they are made to collide.
  await batch.storeBytes(second, two);
  await batch.storeBytes(again, one);
  const { stored } = await batch.publish();
  const outcomes = new Map(stored.map(({ media, outcome }) => [media.id, outcome]));
  const names = [...Deno.readDirSync(test.at(publicDirectory(first, 2)))].map(({ name }) => name);
  assert.equal(names.length, 2);
  assert.equal(stored.length, 3);
  assert.deepEqual(
    [first, second, again].map(({ id }) => outcomes.get(id)),
    ["stored", "renamed", "present"],
  );
});

const LEVELS: readonly (readonly [
  string,
  (media: Media) => string,
  typeof StorageLostError | typeof MediaFailureError,
])[] = [
  [".omoide", () => ".omoide", StorageLostError],
  ["the objects' directory", () => ".omoide/objects", StorageLostError],
  ["a directory of objects", (m) => `.omoide/objects/${m.sha256.slice(0, 2)}`, StorageLostError],
  ["a media type's directory", () => "content", StorageLostError],
  ["an owner's directory", (m) => `content/${m.ownerUuid}`, MediaFailureError],
  ["a prefix directory", (m) => publicDirectory(m, 2), MediaFailureError],
];

for (const [level, pathOf, type] of LEVELS) {
  for (const when of ["before", "while"]) {
    Deno.test(`a link planted in place of ${level} ${when} a batch is open is not followed`, async () => {
      using test = new TestStorage();
      using scratch = new Scratch("memory");
      const storage = await test.open();
      const ownerUuid = crypto.randomUUID();
      const bytes = someBytes(1000);
      const media = mediaOf(bytes, { ownerUuid });
      // The place that the link leads to looks like the real one.
      const path = pathOf(media);
      const real = test.at(path);
      const plant = async () => {
        put(`${real}/x`);
        await run("cp", "-a", `${real}/.`, scratch.path);
        Deno.renameSync(real, `${real}.real`);
        Deno.symlinkSync(scratch.path, real);
      };
      const elsewhere = () => describeTree(scratch.path);
      if (when === "before") {
        await plant();
        const before = elsewhere();
        await assert.rejects(storeOne(storage, media, bytes), type);
        assert.deepEqual(elsewhere(), before);
        return;
      }
      const batch = await storage.beginBatch();
      await batch.storeBytes(media, bytes);
      await plant();
      const before = elsewhere();
      const publishing = batch.publish();
      if (type === StorageLostError) {
        await assert.rejects(publishing, StorageLostError);
      } else {
        const { stored, notStored } = await publishing;
        assert.deepEqual(stored, []);
        assert.ok(notStored[0]?.error instanceof type);
      }
      assert.deepEqual(elsewhere(), before);
    });
  }
}

Deno.test("a link planted between two batches is seen though the directory was used before", async () => {
  using test = new TestStorage();
  using scratch = new Scratch("memory");
  const storage = await test.open();
  const ownerUuid = crypto.randomUUID();
  const bytes = someBytes(10);
  await storeOne(storage, mediaOf(bytes, { ownerUuid }), bytes);
  Deno.renameSync(test.at(`content/${ownerUuid}`), test.at(`content/moved`));
  Deno.symlinkSync(scratch.path, test.at(`content/${ownerUuid}`));
  await assert.rejects(storeOne(storage, mediaOf(bytes, { ownerUuid }), bytes), MediaFailureError);
  assert.deepEqual(describeTree(scratch.path), []);
  // Others are none the worse for it.
  assert.equal((await storeOne(storage, mediaOf(bytes), bytes)).outcome, "stored");
});

/** How far an attempt before got, and whether the media's bytes are still needed. */
const ATTEMPTS: { readonly [how: string]: { held: boolean; outcome: string } } = {
  "nothing was tried": { held: false, outcome: "stored" },
  "the process died before the link": { held: false, outcome: "stored" },
  "the process died behind the link": { held: true, outcome: "present" },
  "the link failed, and the process went on": { held: true, outcome: "stored" },
};

for (const [how, { held, outcome }] of Object.entries(ATTEMPTS)) {
  Deno.test(`bytes that are here already are not asked for again: ${how}`, async () => {
    using test = new TestStorage();
    const bytes = someBytes(1000);
    const media = mediaOf(bytes);
    const fault = new Fault();
    const died = await test.open({ calls: fault.calls });
    if (how !== "nothing was tried") {
      if (how !== "the process died behind the link") {
        fault.set(({ name }) => name === "link" ? "ENOSPC" : null);
      }
      await store(died, media, bytes);
      fault.clear();
    }
    const isSame = how === "the link failed, and the process went on";
    if (isSame) assert.ok(await died.wouldAccept(media.size));
    else died.close();

    const storage = isSame ? died : await test.open();
    const objects = objectsIn(test.root);
    const batch = await storage.beginBatch();
    assert.equal(await batch.takeStored(media), held);
    assert.deepEqual(objectsIn(test.root), objects);
    if (!held) await batch.storeBytes(media, bytes);
    const { stored } = await batch.publish();
    assert.deepEqual(stored, [{ media, outcome, path: null }]);
    assert.deepEqual(Deno.readFileSync(test.at(publicPath(media, 2))), bytes);
  });
}

Deno.test("other bytes under a media's name and object are not taken for it", async () => {
  using test = new TestStorage();
  const storage = await test.open();
  const bytes = someBytes(1000);
  const media = mediaOf(bytes);
  for (const path of [objectPath(media), publicPath(media, 2)]) {
    Deno.writeFileSync(put(test.at(path)), bytes.map((byte) => byte ^ 1));
  }
  const batch = await storage.beginBatch();
  assert.equal(await batch.takeStored(media), false);
  assert.deepEqual((await batch.publish()).stored, []);
});
