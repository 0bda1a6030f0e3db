import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ConfigurationError,
  MediaDefectError,
  MediaFailureError,
  StorageDistrustedError,
  StoragePausedError,
} from "../../src/errors.ts";
import { type Media, renamedName, usualName } from "../../src/media.ts";
import { publicDirectory, publicPath } from "../../src/storage/layout.ts";
import type { StoreBatch, WriteOnceStorage } from "../../src/storage/storage.ts";
import { type CallName, Fault } from "./support/calls.ts";
import { someBytes, TestStorage, type Way, WAYS } from "./support/roots.ts";
import { mediaOf, sha256Of } from "../support/media.ts";

/**
 * Any sequence of uploads, repetitions, wrong bytes, crashes, faults and foreign files, against a
 * model that knows one thing only: which bytes each public name shows, since names never change.
 */

const PALETTE = [new Uint8Array(0), someBytes(1), someBytes(5000), someBytes(70_000)];
const ITEMS = [crypto.randomUUID(), crypto.randomUUID()];
const EXTS = ["jpg", "png"];
const FAULTS: readonly (readonly [CallName, string])[] = [
  ["openNew", "ENOSPC"],
  ["openNew", "EACCES"],
  ["openNew", "EFBIG"],
  ["write", "ENOSPC"],
  ["write", "EIO"],
  ["syncData", "EIO"],
  ["link", "ENOSPC"],
  ["link", "EACCES"],
  ["mkdir", "EROFS"],
  ["openRead", "EMFILE"],
  ["sync", "EIO"],
];

interface Upload {
  readonly bytes: number;
  readonly item: number;
  readonly ext: number;
  readonly renamed: boolean;
  readonly way: Way;
}

type Step =
  | { readonly do: "store"; readonly uploads: readonly Upload[] }
  | { readonly do: "again"; readonly which: number }
  | { readonly do: "wrong"; readonly upload: Upload }
  | { readonly do: "die"; readonly uploads: readonly Upload[] }
  | { readonly do: "plant"; readonly upload: Upload }
  | { readonly do: "fault"; readonly fault: number; readonly uploads: readonly Upload[] };

const upload: fc.Arbitrary<Upload> = fc.record({
  bytes: fc.nat(PALETTE.length - 1),
  item: fc.nat(ITEMS.length - 1),
  ext: fc.nat(EXTS.length - 1),
  renamed: fc.boolean(),
  way: fc.constantFrom(...WAYS),
});
const uploads = fc.array(upload, { minLength: 1, maxLength: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("store" as const), uploads }) },
  fc.record({ do: fc.constant("again" as const), which: fc.nat() }),
  fc.record({ do: fc.constant("wrong" as const), upload }),
  fc.record({ do: fc.constant("die" as const), uploads }),
  fc.record({ do: fc.constant("plant" as const), upload }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("fault" as const),
      fault: fc.nat(FAULTS.length - 1),
      uploads,
    }),
  },
);

/** One owner's life in a storage. */
class Life {
  readonly #ownerUuid = crypto.randomUUID();
  readonly #fault = new Fault();
  /** What each public name shows, by path. */
  readonly #shown = new Map<string, string>();
  readonly #acknowledged: { media: Media; bytes: Uint8Array; path: string }[] = [];
  #storage: WriteOnceStorage | null = null;

  constructor(readonly test: TestStorage) {}

  async live(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await this.#take(step);
      this.#requireModel();
    }
    this.#storage?.close();
  }

  async #take(step: Step): Promise<void> {
    switch (step.do) {
      case "store":
        return await this.#store(step.uploads.map((each) => this.#media(each)));
      case "again": {
        const known = this.#acknowledged[step.which % Math.max(this.#acknowledged.length, 1)];
        if (known !== undefined) await this.#store([{ ...known, way: "in one go" }]);
        return;
      }
      case "wrong": {
        const { media, bytes, way } = this.#media(step.upload);
        const batch = await (await this.#open()).beginBatch();
        const wrong = new Uint8Array([...bytes, 1]);
        assert.ok(await hand(batch, media, wrong, way) instanceof MediaDefectError);
        assert.equal((await batch.publish()).stored.length, 0);
        return;
      }
      case "die": {
        // Dies before anything is published.
        const batch = await (await this.#open()).beginBatch();
        const media = step.uploads.map((each) => this.#media(each));
        for (const each of media) await hand(batch, each.media, each.bytes, each.way);
        this.#reopen();
        return await this.#store(media);
      }
      case "plant": {
        const { media } = this.#media(step.upload);
        const path = publicPath(media, 2);
        if (this.#shown.has(path)) return;
        Deno.mkdirSync(this.test.at(publicDirectory(media, 2)), { recursive: true, mode: 0o750 });
        Deno.writeTextFileSync(this.test.at(path), "unexpected's");
        this.#shown.set(path, sha256Of(new TextEncoder().encode("unexpected's")));
        return;
      }
      case "fault":
        return await this.#meet(step.fault, step.uploads.map((each) => this.#media(each)));
    }
  }

  #media({ bytes: index, item, ext, renamed, way }: Upload) {
    const bytes = PALETTE[index] ?? new Uint8Array(0);
    const itemUuid = ITEMS[item] ?? "";
    const plain = mediaOf(bytes, { ownerUuid: this.#ownerUuid, itemUuid, ext: EXTS[ext] ?? "" });
    return {
      media: { ...plain, publicName: (renamed ? renamedName : usualName)(plain) },
      bytes,
      way,
    };
  }

  async #open(): Promise<WriteOnceStorage> {
    return this.#storage ??= await this.test.open({ calls: this.#fault.calls, writers: 3 });
  }

  #reopen(): void {
    this.#storage?.close();
    this.#storage = null;
  }

  /** Stores with nothing in the way: the model says how each media ends. */
  async #store(all: readonly { media: Media; bytes: Uint8Array; way: Way }[]): Promise<void> {
    const batch = await (await this.#open()).beginBatch();
    for (const { media, bytes, way } of all) {
      assert.equal(await hand(batch, media, bytes, way), null);
    }
    const { stored, notStored, paused } = await batch.publish();
    assert.equal(paused, null);
    assert.equal(stored.length + notStored.length, all.length);
    const results = new Map(stored.map((each) => [each.media.id, each]));
    // Those that were found before they were written have their place already.
    const order = [...all].sort((a, b) => rank(results, a.media) - rank(results, b.media));
    for (const { media, bytes } of order) {
      const usual = publicPath(media, 2);
      const beside = `${publicDirectory(media, 2)}/${renamedName(media)}`;
      const result = results.get(media.id);
      const path = [usual, beside].find((path) =>
        (this.#shown.get(path) ?? media.sha256) === media.sha256
      );
      if (path === undefined) {
        assert.ok(
          notStored.find((each) => each.media === media)?.error instanceof MediaFailureError,
        );
        continue;
      }
      const outcome = path !== usual ? "renamed" : this.#shown.has(usual) ? "present" : "stored";
      assert.deepEqual(
        [result?.outcome, result?.path],
        [outcome, path === usual ? null : path],
        media.publicName,
      );
      this.#shown.set(path, media.sha256);
      this.#acknowledged.push({ media, bytes, path });
    }
  }

  /** Stores with a fault: whatever is acknowledged is there, and afterwards all can be stored. */
  async #meet(
    fault: number,
    all: readonly { media: Media; bytes: Uint8Array; way: Way }[],
  ): Promise<void> {
    const [name, code] = FAULTS[fault] ?? ["openNew", "ENOSPC"];
    const storage = await this.#open();
    const batch = await storage.beginBatch();
    this.#fault.set((call) => call.name === name ? code : null);
    try {
      for (const { media, bytes, way } of all) await hand(batch, media, bytes, way);
      const { stored } = await batch.publish();
      for (const { media, path } of stored) {
        const at = path ?? publicPath(media, 2);
        this.#shown.set(at, media.sha256);
        const bytes = all.find((each) => each.media === media)?.bytes ?? new Uint8Array(0);
        this.#acknowledged.push({ media, bytes, path: at });
      }
    } catch (error) {
      const known = error instanceof ConfigurationError ||
        error instanceof StorageDistrustedError ||
        error instanceof StoragePausedError ||
        error instanceof Error && "code" in error && error.code === "EMFILE";
      assert.ok(known, String(error));
      this.#reopen();
    } finally {
      this.#fault.clear();
    }
    await this.#storage?.wouldAccept(100_000).catch(() => this.#reopen());
    // Names may have been made that nobody acknowledged: they show whole media, or they are not there.
    for (const { media } of all) {
      for (const publicName of [media.publicName, renamedName(media)]) {
        const path = publicPath({ ...media, publicName }, 2);
        const seen = this.#hashAt(path);
        if (seen === null || this.#shown.has(path)) continue;
        assert.ok(all.some((each) => each.media.sha256 === seen), path);
        this.#shown.set(path, seen);
      }
    }
    await this.#store(all);
  }

  #hashAt(path: string): string | null {
    try {
      return sha256Of(Deno.readFileSync(this.test.at(path)));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  }

  /** Every name shows what it ever showed, and there are no others. */
  #requireModel(): void {
    for (const [path, sha256] of this.#shown) assert.equal(this.#hashAt(path), sha256, path);
    for (const { media, path } of this.#acknowledged) {
      assert.equal(this.#shown.get(path), media.sha256);
    }
    let names = 0;
    for (const itemUuid of new Set(ITEMS.map((item) => item.slice(0, 2)))) {
      try {
        const directory = this.test.at(`content/${this.#ownerUuid}/${itemUuid}`);
        names += [...Deno.readDirSync(directory)].length;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    assert.equal(names, this.#shown.size);
  }
}

function rank(results: ReadonlyMap<bigint, { outcome: string }>, { id }: Media): number {
  return results.get(id)?.outcome === "stored" ? 0 : 1;
}

/** Hands a media over; returns why it was not taken, or null. */
async function hand(
  batch: StoreBatch,
  media: Media,
  bytes: Uint8Array,
  way: Way,
): Promise<unknown> {
  try {
    if (way === "in one go") {
      await batch.storeBytes(media, bytes);
    } else {
      const writer = await batch.createObject(media);
      for (let at = 0; at < bytes.length; at += 4096) {
        await writer.write(bytes.subarray(at, at + 4096));
      }
      await writer.close();
    }
    return null;
  } catch (error) {
    return error;
  }
}

Deno.test("whatever happens to a storage, its names show what they ever showed, and receipts are true", async () => {
  using test = new TestStorage();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      await new Life(test).live(steps);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});
