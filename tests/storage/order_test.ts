import assert from "node:assert/strict";
import { MediaFailureError } from "../../src/errors.ts";
import { publicDirectory, publicPath } from "../../src/storage/layout.ts";
import { objectDirectory, objectPath } from "../lab/first_format.ts";
import { type FileCalls, fileCalls } from "../../src/storage/file_calls.ts";
import type { Media } from "../../src/media.ts";
import { type Call, wrapCalls } from "./support/calls.ts";
import { Scratch, someBytes, store, storeOne, TestStorage, WAYS } from "./support/roots.ts";
import { mediaOf } from "../support/media.ts";

/** Records what succeeded, and what began, as `name path` with paths relative to the root. */
class Record {
  readonly done: string[] = [];
  readonly begun: string[] = [];
  constructor(readonly root: string) {}
  readonly calls = wrapCalls(
    (call) => this.begun.push(this.#show(call)),
    (call) => this.done.push(this.#show(call)),
  );

  #show({ name, path }: Call): string {
    return `${name} ${path === this.root ? "." : path.replace(`${this.root}/`, "")}`;
  }

  forget(): void {
    this.done.length = 0;
    this.begun.length = 0;
  }

  /** The calls that put something on the disk. */
  changes(): string[] {
    return this.done.filter((line) => /^(openNew|write|syncData|link|mkdir|sync) /.test(line));
  }

  synced(): string[] {
    return this.done.filter((line) => line.startsWith("sync ")).map((line) => line.slice(5)).sort();
  }
}

/** Everything above a directory, and itself. */
function chain(path: string): string[] {
  const parts = path.split("/");
  return [".", ...parts.map((_, i) => parts.slice(0, i + 1).join("/"))];
}

for (const way of WAYS) {
  Deno.test(`a media handed over ${way} is synced, then named, then its directories are synced, then it is stored`, async () => {
    using test = new TestStorage("disk");
    const record = new Record(test.root);
    const storage = await test.open({ calls: record.calls });
    const bytes = someBytes(1000);
    const media = mediaOf(bytes);
    record.forget();
    await storeOne(storage, media, bytes, way);
    const object = objectPath(media);
    const directory = publicDirectory(media, 2);
    const changes = record.changes();
    const directories = new Set([...chain(directory), ...chain(objectDirectory(media.sha256))]);
    assert.deepEqual(changes.slice(0, 6), [
      `mkdir content/${media.ownerUuid}`,
      `mkdir ${directory}`,
      `openNew ${object}`,
      `write ${object}`,
      `syncData ${object}`,
      `link ${publicPath(media, 2)}`,
    ]);
    assert.deepEqual(record.synced(), [...directories].sort());
    assert.equal(changes.length, 6 + directories.size);
    // No directory is opened for its fsync before the name is there.
    assert.ok(
      record.begun.indexOf(`sync ${directory}`) >
        record.begun.indexOf(`link ${publicPath(media, 2)}`),
    );
  });
}

Deno.test("a directory is synced again only when an entry was made in it since", async () => {
  using test = new TestStorage("disk");
  const record = new Record(test.root);
  const storage = await test.open({ calls: record.calls });
  const ownerUuid = crypto.randomUUID();
  const itemUuid = crypto.randomUUID();
  const bytes = someBytes(10);
  const first = mediaOf(bytes, { ownerUuid, itemUuid });
  await storeOne(storage, first, bytes);

  record.forget();
  const second = mediaOf(bytes, { ownerUuid, itemUuid, ext: "png" });
  await storeOne(storage, second, bytes);
  const objects = objectDirectory(second.sha256);
  assert.deepEqual(record.synced(), [objects, publicDirectory(second, 2)].sort());

  record.forget();
  const third = mediaOf(bytes, { ownerUuid: crypto.randomUUID() });
  await storeOne(storage, third, bytes);
  assert.deepEqual(
    record.synced(),
    [objects, "content", `content/${third.ownerUuid}`, publicDirectory(third, 2)].sort(),
  );
});

Deno.test("each directory of a batch is synced once, however many names it got", async () => {
  using test = new TestStorage("disk");
  const record = new Record(test.root);
  const storage = await test.open({ calls: record.calls });
  const ownerUuid = crypto.randomUUID();
  const batch = await storage.beginBatch();
  for (let i = 0; i < 50; i++) {
    const bytes = someBytes(10);
    const itemUuid = `ab${crypto.randomUUID().slice(2)}`;
    await batch.storeBytes(mediaOf(bytes, { ownerUuid, itemUuid }), bytes);
  }
  assert.equal((await batch.publish()).stored.length, 50);
  const synced = record.synced();
  assert.equal(new Set(synced).size, synced.length);
});

Deno.test("what a process that died has named is synced before it is present", async () => {
  for (const kind of ["present", "renamed"]) {
    using test = new TestStorage("disk");
    const bytes = someBytes(1000);
    const media = mediaOf(bytes);
    if (kind === "renamed") {
      Deno.mkdirSync(test.at(publicDirectory(media, 2)), { recursive: true });
      Deno.writeTextFileSync(test.at(publicPath(media, 2)), "other");
    }
    const died = await test.open();
    const { path } = await storeOne(died, media, bytes);
    died.close();

    const record = new Record(test.root);
    const storage = await test.open({ calls: record.calls });
    record.forget();
    assert.equal((await storeOne(storage, media, bytes)).outcome, kind);
    const directories = [
      ...chain(publicDirectory(media, 2)),
      ...chain(objectDirectory(media.sha256)),
    ];
    assert.deepEqual(record.synced(), [...new Set(directories)].sort());
    const named = path ?? publicPath(media, 2);
    const changes = record.changes();
    // Nothing but fsyncs: the file's own first.
    assert.deepEqual(changes[0], `syncData ${named}`);
    assert.ok(changes.slice(1).every((line) => line.startsWith("sync ")), changes.join("\n"));
  }
});

Deno.test("what has its name from another upload is synced before it is present", async () => {
  using test = new TestStorage("disk");
  const bytes = someBytes(1000);
  const first = mediaOf(bytes);
  const again = mediaOf(bytes, { ownerUuid: first.ownerUuid, itemUuid: first.itemUuid });
  const earlier = await test.open();
  await storeOne(earlier, first, bytes);
  earlier.close();
  const record = new Record(test.root);
  const storage = await test.open({ calls: record.calls });
  record.forget();
  assert.deepEqual(await storeOne(storage, again, bytes), { outcome: "present", path: null });
  const named = publicPath(first, 2);
  assert.ok(record.done.indexOf(`syncData ${named}`) > record.begun.indexOf(`link ${named}`));
  assert.ok(record.synced().includes(publicDirectory(first, 2)));
});

Deno.test("an entry made while its directory is being synced asks for another fsync", async () => {
  using test = new TestStorage("disk");
  const ownerUuid = crypto.randomUUID();
  const itemUuid = crypto.randomUUID();
  const bytes = someBytes(10);
  const [first, second] = ["jpg", "png"].map((ext) => mediaOf(bytes, { ownerUuid, itemUuid, ext }));
  if (first === undefined || second === undefined) throw new Error("unreachable");
  const directory = test.at(publicDirectory(first, 2));
  let syncs = 0;
  const began = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const storage = await test.open({
    calls: {
      ...fileCalls,
      sync: async (file) => {
        const isIt = fileCalls.fstat(file).ino === fileCalls.lstat(directory)?.ino;
        if (isIt) syncs += 1;
        const isFirst = isIt && syncs === 1;
        await fileCalls.sync(file);
        if (!isFirst) return;
        // The fsync of the first batch does not return until the second has made its entry.
        began.resolve();
        await gate.promise;
      },
    },
  });
  const one = await storage.beginBatch();
  await one.storeBytes(first, bytes);
  const publishingOne = one.publish();
  await began.promise;
  const two = await storage.beginBatch();
  await two.storeBytes(second, bytes);
  assert.equal((await two.publish()).stored.length, 1);
  assert.equal(syncs, 2);
  gate.resolve();
  assert.equal((await publishingOne).stored.length, 1);

  // What is found is asked for again: nothing tells whether this process has made it.
  assert.equal((await store(storage, first, bytes)).stored[0]?.outcome, "present");
  assert.equal(syncs, 3);
});

/** What another process has made and not yet synced, such as `storage sync` beside the worker. */
type Make = (test: TestStorage, media: Media, bytes: Uint8Array) => void;
const MADE_BY_OTHERS: { readonly [what: string]: Make } = {
  "the object and its name": (test, media, bytes) => {
    Deno.writeFileSync(test.at(objectPath(media)), bytes, { mode: 0o440 });
    Deno.linkSync(test.at(objectPath(media)), test.at(publicPath(media, 2)));
  },
  "the name alone": (test, media, bytes) =>
    Deno.writeFileSync(test.at(publicPath(media, 2)), bytes, { mode: 0o440 }),
};

for (const [what, make] of Object.entries(MADE_BY_OTHERS)) {
  for (const way of WAYS) {
    Deno.test(`${what}, made by another process in directories that were synced before, are synced again (${way})`, async () => {
      using test = new TestStorage("disk");
      const record = new Record(test.root);
      const storage = await test.open({ calls: record.calls });
      const ownerUuid = crypto.randomUUID();
      const itemUuid = crypto.randomUUID();
      const bytes = someBytes(1000);
      // The same owner, prefix and objects' directory.
      await storeOne(storage, mediaOf(bytes, { ownerUuid, itemUuid }), bytes);
      const media = mediaOf(bytes, { ownerUuid, itemUuid, ext: "png" });
      make(test, media, bytes);
      record.forget();
      assert.deepEqual(await storeOne(storage, media, bytes, way), {
        outcome: "present",
        path: null,
      });
      assert.deepEqual(
        record.synced(),
        [objectDirectory(media.sha256), publicDirectory(media, 2)].sort(),
      );
    });
  }
}

Deno.test("a directory that another process has made is synced with its parent", async () => {
  using test = new TestStorage("disk");
  const record = new Record(test.root);
  const storage = await test.open({ calls: record.calls });
  const bytes = someBytes(1000);
  await storeOne(storage, mediaOf(bytes), bytes);
  const media = mediaOf(bytes);
  Deno.mkdirSync(test.at(publicDirectory(media, 2)), { recursive: true, mode: 0o750 });
  record.forget();
  assert.equal((await storeOne(storage, media, bytes)).outcome, "stored");
  assert.deepEqual(
    record.synced(),
    [
      objectDirectory(media.sha256),
      "content",
      `content/${media.ownerUuid}`,
      publicDirectory(media, 2),
    ].sort(),
  );
});

/** Lets another process make something at the path of each new directory, right before this one does. */
function racedCalls(record: Record, make: (path: string) => void): FileCalls {
  const mkdir = (path: string, mode: number) => {
    make(path);
    record.calls.mkdir(path, mode);
  };
  return { ...record.calls, mkdir };
}

Deno.test("a directory that another process makes in the same moment is used, and synced with its parent", async () => {
  using test = new TestStorage("disk");
  const record = new Record(test.root);
  let races = 0;
  const calls = racedCalls(record, (path) => {
    races += 1;
    Deno.mkdirSync(path, { mode: 0o750 });
  });
  const storage = await test.open({ calls });
  const bytes = someBytes(1000);
  await storeOne(storage, mediaOf(bytes), bytes);
  const media = mediaOf(bytes);
  record.forget();
  assert.equal((await storeOne(storage, media, bytes)).outcome, "stored");
  assert.equal(races, 4);
  assert.deepEqual(
    record.synced(),
    [
      objectDirectory(media.sha256),
      "content",
      `content/${media.ownerUuid}`,
      publicDirectory(media, 2),
    ].sort(),
  );
});

Deno.test("what is no real directory, made in the same moment, harms its own media only", async () => {
  using test = new TestStorage("memory");
  using elsewhere = new Scratch("memory");
  const things: { readonly [what: string]: (path: string) => void } = {
    "a symbolic link": (path) => Deno.symlinkSync(elsewhere.path, path),
    "no directory": (path) => Deno.writeTextFileSync(path, "a file"),
  };
  for (const [what, make] of Object.entries(things)) {
    const storage = await test.open({ calls: racedCalls(new Record(test.root), make) });
    const bytes = someBytes(1000);
    await assert.rejects(storeOne(storage, mediaOf(bytes), bytes), (error) => {
      assert.ok(error instanceof MediaFailureError);
      assert.ok(error.message.includes(`is ${what}`), error.message);
      return true;
    });
    assert.equal([...Deno.readDirSync(elsewhere.path)].length, 0);
    storage.close();
  }
});

Deno.test("no more files are flushed at once than there are writers", async () => {
  using test = new TestStorage("disk");
  let now = 0;
  let most = 0;
  const calls = wrapCalls(() => {});
  const counted = async (sync: () => Promise<void>) => {
    most = Math.max(most, ++now);
    await sync();
    now -= 1;
  };
  const storage = await test.open({
    writers: 3,
    calls: {
      ...calls,
      syncData: (file) => counted(() => calls.syncData(file)),
      sync: (file) => counted(() => calls.sync(file)),
    },
  });
  const batch = await storage.beginBatch();
  for (let i = 0; i < 50; i++) {
    const bytes = someBytes(10);
    await batch.storeBytes(mediaOf(bytes), bytes);
  }
  assert.equal((await batch.publish()).stored.length, 50);
  assert.equal(most, 3);
});

Deno.test("a large media is flushed while it comes in, and once more when it is whole", async () => {
  using test = new TestStorage("disk");
  const record = new Record(test.root);
  const storage = await test.open({ calls: record.calls });
  const bytes = someBytes(40 * 1024 * 1024);
  const media = mediaOf(bytes);
  assert.equal((await storeOne(storage, media, bytes, "in pieces")).outcome, "stored");
  const flushes = record.begun.flatMap((line, at) => line.startsWith("syncData ") ? [at] : []);
  const lastWrite = record.begun.findLastIndex((line) => line.startsWith("write "));
  assert.ok(flushes.length > 1);
  assert.ok((flushes[0] ?? Infinity) < lastWrite);
  assert.ok((flushes.at(-1) ?? 0) > lastWrite);
});
