import assert from "node:assert/strict";
import {
  ConfigurationError,
  MediaFailureError,
  StorageDistrustedError,
  StorageLostError,
  StoragePausedError,
} from "../../src/errors.ts";
import type { Media } from "../../src/media.ts";
import { isSkeleton, publicPath } from "../../src/storage/layout.ts";
import type { Published } from "../../src/storage/storage.ts";
import { type Call, type CallName, Fault, maskedCalls, wrapCalls } from "./support/calls.ts";
import {
  objectsIn,
  Scratch,
  someBytes,
  store,
  storeOne,
  TestStorage,
  WAYS,
} from "./support/roots.ts";
import { mediaOf } from "../support/media.ts";

const CODES = ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "ENOENT", "EMFILE", "ENXIO", "EFBIG"];

/** What can't fail, or is over before a worker has anything to store. */
const NEVER: readonly CallName[] = ["close", "tryLock", "realPath"];

type Verdict =
  | "paused"
  | "distrusted"
  | "lost"
  | "misconfigured"
  | "this media only"
  | "the process is at its end";

/** The contract: what a fault at a call means. */
function verdictOn({ name, path }: Call, code: string): Verdict {
  if (name === "sync" || name === "syncData") return "distrusted";
  if (code === "EMFILE") return "the process is at its end";
  if (path === ".omoide/storage.json" || name === "statfs") return "lost";
  // Not to be allowed into what `storage init` made is no media's fault.
  const parent = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
  const inside = ["openNew", "lstat", "mkdir"].includes(name) && isSkeleton(parent);
  if (code === "EACCES" && (inside || isSkeleton(path) && ["lstat", "openRead"].includes(name))) {
    return "misconfigured";
  }
  // A new object is looked at by its name, which must be there.
  const isNewObject = name === "lstat" && /^\.omoide\/objects\/..\/./.test(path);
  const isChange = isNewObject ||
    ["openNew", "write", "link", "mkdir", "openRead", "fstat"].includes(name);
  if (!isChange) return isSkeleton(path) ? "lost" : "this media only";
  const isDirectory = name === "openRead";
  if (code === "ENOENT" && (name === "openNew" || isDirectory && isSkeleton(path))) return "lost";
  if (code === "EIO") return "distrusted";
  if (code === "ENXIO") return "lost";
  if (["ENOSPC", "EDQUOT", "EROFS"].includes(code)) return "paused";
  return "this media only";
}

async function verdictOf(attempt: Promise<Published>): Promise<Verdict | "stored"> {
  const toVerdict = (error: unknown): Verdict => {
    if (error instanceof StoragePausedError) return "paused";
    if (error instanceof StorageDistrustedError) return "distrusted";
    if (error instanceof StorageLostError) return "lost";
    if (error instanceof ConfigurationError) return "misconfigured";
    if (error instanceof MediaFailureError) return "this media only";
    if (error instanceof Error && "code" in error) return "the process is at its end";
    throw error;
  };
  try {
    const { stored, notStored, paused } = await attempt;
    assert.equal(stored.length + notStored.length + (paused === null ? 0 : 1), 1);
    if (paused !== null) return toVerdict(paused);
    return notStored[0] === undefined ? "stored" : toVerdict(notStored[0].error);
  } catch (error) {
    return toVerdict(error);
  }
}

/** The bytes under a public name, null where there are none. */
function shown(test: TestStorage, media: Media): Uint8Array | null {
  try {
    return Deno.readFileSync(test.at(publicPath(media, 2)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

for (const code of CODES) {
  Deno.test(`${code} at each call of storing a media means what it should, and harms nothing`, async () => {
    using test = new TestStorage();
    const bytes = someBytes(100_000);
    for (const way of code === "EIO" ? WAYS : WAYS.slice(0, 1)) {
      let struck: Call | null = null;
      for (let at = 0; at === 0 || struck !== null; at++) {
        struck = null;
        let index = 0;
        const fault = new Fault();
        const storage = await test.open({ calls: fault.calls });
        fault.set((call) => {
          if (NEVER.includes(call.name)) return null;
          // A handle's file is always there, and always allowed.
          if (call.name === "fstat" && ["ENOENT", "EACCES"].includes(code)) return null;
          if (index++ !== at) return null;
          struck = { ...call, path: call.path.replace(test.root, "").slice(1) };
          return code;
        });
        const media = mediaOf(bytes);
        const verdict = await verdictOf(store(storage, media, bytes, way));
        fault.clear();
        storage.close();
        const where = `call ${at}, ${JSON.stringify(struck)}, ${way}`;
        assert.equal(verdict, struck === null ? "stored" : verdictOn(struck, code), where);
        // The name shows all or nothing, and the next process stores it.
        const seen = shown(test, media);
        if (seen !== null) assert.deepEqual(seen, bytes, where);
        const next = await test.open();
        const { outcome } = await storeOne(next, media, bytes);
        assert.equal(outcome, seen === null ? "stored" : "present", where);
        next.close();
      }
    }
  });
}

Deno.test("after a failed fsync nothing more is stored, whatever batch it is in", async () => {
  for (const name of ["syncData", "sync"] as const) {
    using test = new TestStorage();
    const fault = new Fault();
    const storage = await test.open({ calls: fault.calls });
    const bytes = someBytes(1000);
    const [one, two, three] = [
      await storage.beginBatch(),
      await storage.beginBatch(),
      await storage.beginBatch(),
    ];
    await two.storeBytes(mediaOf(bytes), bytes);
    let failed = false;
    fault.set((call) => {
      if (call.name !== name || failed) return null;
      failed = true;
      return "EIO";
    });
    await one.storeBytes(mediaOf(bytes), bytes);
    await assert.rejects(one.publish(), StorageDistrustedError);
    assert.ok(failed);
    // The disk seems well again: it is not believed.
    await assert.rejects(two.publish(), StorageDistrustedError);
    await assert.rejects(storage.beginBatch(), StorageDistrustedError);
    await assert.rejects(storage.wouldAccept(1), StorageDistrustedError);
    await assert.rejects(storage.freeSpace(), StorageDistrustedError);
    await assert.rejects(three.storeBytes(mediaOf(bytes), bytes), StorageDistrustedError);
    await assert.rejects(three.createObject(mediaOf(bytes)), StorageDistrustedError);
  }
});

Deno.test("a failed fsync while a large media comes in stops it at the next piece", async () => {
  using test = new TestStorage();
  const fault = new Fault();
  const storage = await test.open({ calls: fault.calls });
  const bytes = someBytes(1000);
  const large = await (await storage.beginBatch()).createObject(mediaOf(bytes));
  await large.write(bytes.subarray(0, 500));
  fault.set(({ name }) => name === "syncData" ? "EIO" : null);
  await assert.rejects(store(storage, mediaOf(bytes), bytes), StorageDistrustedError);
  await assert.rejects(large.write(bytes.subarray(500)), StorageDistrustedError);
  await assert.rejects(large.close(), TypeError);
});

Deno.test("a fdatasync that fails while its media still comes in is a failed fsync", async () => {
  for (const end of ["write", "close"]) {
    using test = new TestStorage();
    const fault = new Fault();
    const storage = await test.open({ calls: fault.calls });
    const bytes = someBytes(17 * 1024 * 1024);
    const media = mediaOf(bytes);
    const writer = await (await storage.beginBatch()).createObject(media);
    fault.set(({ name }) => name === "syncData" ? "EIO" : null);
    const all = end === "close" ? bytes.length : bytes.length - 1;
    for (let at = 0; at < all; at += 65_536) {
      await writer.write(bytes.subarray(at, Math.min(at + 65_536, all))).catch((error) => {
        assert.ok(error instanceof StorageDistrustedError);
      });
      if (fault.struck > 0) break;
    }
    fault.clear();
    assert.equal(fault.struck, 1);
    const last = end === "close" ? writer.close() : writer.write(bytes.subarray(all));
    await assert.rejects(last, StorageDistrustedError);
    await assert.rejects(storage.beginBatch(), StorageDistrustedError);
    assert.equal(shown(test, media), null);
  }
});

Deno.test("a failed fsync of what is there already is a failed fsync", async () => {
  using test = new TestStorage();
  const fault = new Fault();
  const bytes = someBytes(1000);
  const media = mediaOf(bytes);
  const first = await test.open();
  await storeOne(first, media, bytes);
  first.close();
  const storage = await test.open({ calls: fault.calls });
  fault.set(({ name }) => name === "syncData" ? "EIO" : null);
  await assert.rejects(store(storage, media, bytes), StorageDistrustedError);
  await assert.rejects(storage.beginBatch(), StorageDistrustedError);
});

Deno.test("a directory that vanishes under a batch harms its own media only", async () => {
  const bytes = someBytes(1000);
  for (const when of ["before the link", "before the fsync"]) {
    using test = new TestStorage();
    const gone = mediaOf(bytes);
    const kept = mediaOf(bytes);
    const owner = test.at(`content/${gone.ownerUuid}`);
    let armed = false;
    const remove = () => {
      if (!armed) return;
      armed = false;
      Deno.renameSync(owner, `${owner}.gone`);
    };
    const storage = await test.open({
      calls: wrapCalls(
        ({ name, path }) => {
          if (when === "before the link" && name === "link" && path.startsWith(owner)) remove();
        },
        ({ name, path }) => {
          if (when === "before the fsync" && name === "link" && path.startsWith(owner)) remove();
        },
      ),
    });
    const batch = await storage.beginBatch();
    await batch.storeBytes(gone, bytes);
    await batch.storeBytes(kept, bytes);
    armed = true;
    const { stored, notStored } = await batch.publish();
    assert.deepEqual(stored.map(({ media }) => media), [kept], when);
    assert.ok(notStored[0]?.error instanceof MediaFailureError, when);
    assert.equal(notStored[0].media, gone);
    const outcome = (await storeOne(storage, gone, bytes)).outcome;
    assert.equal(outcome, "stored", when);
  }
});

Deno.test("a directory swapped for a link between the links and its fsync costs the receipt", async () => {
  using test = new TestStorage();
  using scratch = new Scratch("memory");
  const bytes = someBytes(1000);
  const media = mediaOf(bytes);
  const owner = test.at(`content/${media.ownerUuid}`);
  const storage = await test.open({
    calls: wrapCalls(() => {}, ({ name, path }) => {
      if (name !== "link" || !path.startsWith(owner)) return;
      Deno.mkdirSync(`${scratch.path}/${media.itemUuid.slice(0, 2)}`);
      Deno.renameSync(owner, `${owner}.real`);
      Deno.symlinkSync(scratch.path, owner);
    }),
  });
  const { stored, notStored } = await store(storage, media, bytes);
  assert.deepEqual(stored, []);
  assert.match(notStored[0]?.error.message ?? "", /replaced while/);
});

Deno.test("a failed write is never retried on its file", async () => {
  for (const way of WAYS) {
    using test = new TestStorage();
    const fault = new Fault();
    const storage = await test.open({ calls: fault.calls });
    const bytes = someBytes(1000);
    const media = mediaOf(bytes);
    fault.set(({ name }) => name === "write" ? "EFBIG" : null);
    await assert.rejects(store(storage, media, bytes, way), MediaFailureError);
    fault.clear();
    assert.equal((await storeOne(storage, media, bytes, way)).outcome, "stored");
    const sizes = objectsIn(test.root).map((name) =>
      Deno.lstatSync(test.at(`.omoide/objects/${name.slice(0, 2)}/${name}`)).size
    );
    assert.deepEqual(sizes, [0, 1000]);
  }
});

Deno.test("writes that take less than they were given are gone on with", async () => {
  using test = new TestStorage();
  const calls = wrapCalls(() => {});
  const storage = await test.open({
    calls: { ...calls, write: (file, bytes) => calls.write(file, bytes.subarray(0, 7)) },
  });
  for (const way of WAYS) {
    const bytes = someBytes(1000);
    const media = mediaOf(bytes);
    assert.equal((await storeOne(storage, media, bytes, way)).outcome, "stored");
    assert.deepEqual(shown(test, media), bytes);
  }
});

Deno.test("a write that takes nothing and gives no error does not hang", async () => {
  using test = new TestStorage();
  const calls = wrapCalls(() => {});
  const storage = await test.open({ calls: { ...calls, write: () => 0 } });
  const bytes = someBytes(10);
  await assert.rejects(store(storage, mediaOf(bytes), bytes), /took nothing/);
});

Deno.test("modes that readers cannot use stop the worker, with the umask in the message", async () => {
  const bytes = someBytes(10);
  for (const umask of [0o077, 0o040]) {
    using test = new TestStorage();
    const storage = await test.open({ calls: maskedCalls(umask) });
    const media = mediaOf(bytes);
    await assert.rejects(store(storage, media, bytes), (error) => {
      assert.ok(error instanceof ConfigurationError, String(error));
      assert.ok(error.message.includes("umask of 0027"));
      return true;
    });
    await assert.rejects(storage.beginBatch(), ConfigurationError);
    assert.equal(shown(test, media), null);
  }
});

Deno.test("what readers could not reach is not stored: the next worker after a wrong umask says so", async () => {
  using test = new TestStorage();
  const bytes = someBytes(10);
  const media = mediaOf(bytes);
  const first = await test.open({ calls: maskedCalls(0o077) });
  await assert.rejects(store(first, media, bytes), ConfigurationError);
  first.close();
  const next = await test.open();
  await assert.rejects(store(next, media, bytes), (error) => {
    assert.ok(error instanceof MediaFailureError, String(error));
    assert.match(error.message, /has mode 700, readers need 750: chmod it/);
    return true;
  });
  assert.equal(shown(test, media), null);
  // It holds up nothing else, and goes on once that is put right.
  const other = mediaOf(bytes);
  assert.equal((await storeOne(next, other, bytes)).outcome, "stored");
  Deno.chmodSync(`${test.root}/content/${media.ownerUuid}`, 0o750);
  assert.equal((await storeOne(next, media, bytes)).outcome, "stored");
});

Deno.test("a file system that makes objects writable is refused before they are published", async () => {
  using test = new TestStorage();
  const calls = wrapCalls(() => {});
  const storage = await test.open({
    calls: {
      ...calls,
      lstat: (path) => {
        const found = calls.lstat(path);
        return found?.isFile ? { ...found, mode: 0o100755 } : found;
      },
    },
  });
  const bytes = someBytes(10);
  const media = mediaOf(bytes);
  await assert.rejects(store(storage, media, bytes), /mode 755, not 440/);
  assert.equal(shown(test, media), null);
});

Deno.test("a file that comes to be on another device than storage.json is not published", async () => {
  using test = new TestStorage();
  const calls = wrapCalls(() => {});
  let other = false;
  const storage = await test.open({
    calls: {
      ...calls,
      lstat: (path) => {
        const found = calls.lstat(path);
        return other && found?.isFile ? { ...found, dev: found.dev + 1 } : found;
      },
    },
  });
  const bytes = someBytes(10);
  const media = mediaOf(bytes);
  const batch = await storage.beginBatch();
  other = true;
  await assert.rejects(batch.storeBytes(media, bytes), StorageLostError);
  other = false;
  await assert.rejects(batch.publish(), StorageLostError);
  assert.equal(shown(test, media), null);
});

Deno.test("an owner's directory on another device harms that owner only", async () => {
  using test = new TestStorage();
  const calls = wrapCalls(() => {});
  const ownerUuid = crypto.randomUUID();
  const storage = await test.open({
    calls: {
      ...calls,
      lstat: (path) => {
        const found = calls.lstat(path);
        return found !== null && path.endsWith(ownerUuid)
          ? { ...found, dev: found.dev + 1 }
          : found;
      },
    },
  });
  const bytes = someBytes(10);
  await assert.rejects(storeOne(storage, mediaOf(bytes, { ownerUuid }), bytes), MediaFailureError);
  assert.deepEqual(objectsIn(test.root), []);
  assert.equal((await storeOne(storage, mediaOf(bytes), bytes)).outcome, "stored");
});

Deno.test("a disk that goes away between two links ends the storage, and fails no media", async () => {
  using test = new TestStorage();
  let links = 0;
  const storage = await test.open({
    calls: wrapCalls(({ name }) => {
      if (name !== "link" || ++links !== 2) return;
      Deno.renameSync(test.root, `${test.root}.gone`);
      Deno.mkdirSync(test.root);
    }),
  });
  const bytes = someBytes(10);
  const batch = await storage.beginBatch();
  for (let i = 0; i < 3; i++) await batch.storeBytes(mediaOf(bytes), bytes);
  await assert.rejects(batch.publish(), StorageLostError);
  assert.deepEqual([...Deno.readDirSync(test.root)], []);
});

Deno.test("identity gone, changed or replaced by a copy ends the storage at the next batch", async () => {
  const path = ".omoide/storage.json";
  const ends: Record<string, (test: TestStorage) => void> = {
    gone: (test) => Deno.removeSync(test.at(path)),
    "another's": (test) => {
      const text = Deno.readTextFileSync(test.at(path));
      Deno.chmodSync(test.at(path), 0o640);
      Deno.writeTextFileSync(test.at(path), text.replace(test.identity.uuid, crypto.randomUUID()));
    },
    "replaced by a copy": (test) => {
      Deno.copyFileSync(test.at(path), test.at(`${path}.copy`));
      Deno.renameSync(test.at(`${path}.copy`), test.at(path));
    },
    garbage: (test) => {
      Deno.chmodSync(test.at(path), 0o640);
      Deno.writeTextFileSync(test.at(path), "{");
    },
  };
  const bytes = someBytes(10);
  for (const [name, end] of Object.entries(ends)) {
    using test = new TestStorage();
    const storage = await test.open();
    const media = mediaOf(bytes);
    const batch = await storage.beginBatch();
    await batch.storeBytes(media, bytes);
    end(test);
    await assert.rejects(batch.publish(), StorageLostError, name);
    assert.equal(shown(test, media), null, name);
    await assert.rejects(storage.beginBatch(), StorageLostError, name);
    await assert.rejects(storage.wouldAccept(1), StorageLostError, name);
  }
});

Deno.test("a missing directory of the skeleton is noticed at the start, and later by who needs it", async () => {
  const bytes = someBytes(10);
  const media = mediaOf(bytes);
  for (const path of ["content", "preview", `.omoide/objects/${media.sha256.slice(0, 2)}`]) {
    using test = new TestStorage();
    const storage = await test.open();
    Deno.removeSync(test.at(path));
    if (path === "preview") {
      assert.equal((await storeOne(storage, media, bytes)).outcome, "stored");
    } else {
      await assert.rejects(store(storage, media, bytes), StorageLostError);
    }
    storage.close();
    await assert.rejects(test.open(), /is missing; mount its disk, or run `storage init` again/);
  }
});
