/**
 * What the store does per second, into fresh directories on a real disk, beside the floor: the same
 * system calls from the same runtime with nothing around them.
 *
 *     deno run -A scripts/bench/store.ts [--dir DIR] [--files N] [--rounds N]
 */
import { hash } from "node:crypto";
import { parseArgs } from "node:util";
import type { Media } from "../../src/media.ts";
import { initRoot } from "../../src/storage/admin/init_root.ts";
import { openStorage } from "../../src/storage/open_storage.ts";
import type { Published } from "../../src/storage/storage.ts";

const BATCH = 1024;
const PIECE = 64 * 1024;

const { values } = parseArgs({
  options: {
    dir: { type: "string", default: Deno.cwd() },
    files: { type: "string", default: "8192" },
    rounds: { type: "string", default: "3" },
  },
});
const files = Number(values.files);

interface Work {
  readonly media: Media;
  readonly bytes: Uint8Array;
}

function smallWork(count: number, size: number, owners: number, prefixes: number): Work[] {
  const ownerIds = Array.from({ length: owners }, () => crypto.randomUUID());
  return Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(size);
    crypto.getRandomValues(bytes.subarray(0, Math.min(size, 65536)));
    const prefix = (i % prefixes).toString(16).padStart(2, "0");
    const itemUuid = prefix + crypto.randomUUID().slice(2);
    const media: Media = {
      id: BigInt(i + 1),
      ownerUuid: ownerIds[i % owners] ?? "",
      itemUuid,
      mediaType: "content",
      ext: "jpg",
      publicName: `${itemUuid}.jpg`,
      size,
      sha256: hash("sha256", bytes),
    };
    return { media, bytes };
  });
}

async function inFreshRoot(run: (root: string) => Promise<void>): Promise<number> {
  const parent = Deno.makeTempDirSync({ dir: values.dir, prefix: "bench-store-" });
  const root = `${Deno.realPathSync(parent)}/root`;
  initRoot(root, {
    format: 1,
    storage: "bench",
    uuid: crypto.randomUUID(),
    inbox: crypto.randomUUID(),
    prefixSize: 2,
  });
  const began = performance.now();
  await run(root);
  const seconds = (performance.now() - began) / 1000;
  Deno.removeSync(parent, { recursive: true });
  return seconds;
}

/** As the worker does it: the next batch is taken while the last ones are being published. */
async function storeAll(root: string, work: readonly Work[], large: boolean): Promise<void> {
  const storage = await openStorage(root, { storage: "bench" });
  let publishing: Promise<Published>[] = [];
  for (let from = 0; from < work.length; from += BATCH) {
    const batch = await storage.beginBatch();
    for (const { media, bytes } of work.slice(from, from + BATCH)) {
      if (!large) {
        await batch.storeBytes(media, bytes);
        continue;
      }
      const writer = await batch.createObject(media);
      for (let at = 0; at < bytes.length; at += PIECE) {
        await writer.write(bytes.subarray(at, at + PIECE));
      }
      await writer.close();
    }
    publishing.push(batch.publish());
    if (publishing.length === 2) requireAll(await publishing.shift());
  }
  for (const each of publishing) requireAll(await each);
  publishing = [];
  storage.close();
}

function requireAll(published: Published | undefined): void {
  const lost = published?.notStored[0] ?? published?.paused;
  if (lost) throw lost instanceof Error ? lost : lost.error;
}

/** Create, write, fdatasync and link into one directory, 64 at once, one fsync of it at the end. */
async function floor(root: string, work: readonly Work[]): Promise<void> {
  let free = 64;
  let wake = () => {};
  const directory = `${root}/content`;
  for (const { media, bytes } of work) {
    while (free === 0) await new Promise<void>((resolve) => wake = resolve);
    free -= 1;
    const path = `${directory}/${media.id}`;
    const file = Deno.openSync(path, { write: true, createNew: true, mode: 0o440 });
    file.writeSync(bytes);
    void file.syncData().then(() => {
      file.close();
      Deno.linkSync(path, `${path}.jpg`);
      free += 1;
      wake();
    });
  }
  while (free < 64) await new Promise<void>((resolve) => wake = resolve);
  using handle = Deno.openSync(directory);
  await handle.sync();
}

async function measure(
  name: string,
  work: readonly Work[],
  run: (root: string, work: readonly Work[]) => Promise<void>,
): Promise<void> {
  const seconds: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    seconds.push(await inFreshRoot((root) => run(root, work)));
  }
  seconds.sort((a, b) => a - b);
  const median = seconds[Math.floor(seconds.length / 2)] ?? NaN;
  const bytes = work.reduce((sum, { media }) => sum + media.size, 0);
  const rate = Math.round(work.length / median).toLocaleString("en");
  console.log(
    `${name.padEnd(52)} ${rate.padStart(9)} files/s ${
      (bytes / median / 1e6).toFixed(0).padStart(6)
    } MB/s`,
  );
}

const store = (root: string, work: readonly Work[]) => storeAll(root, work, false);
const storeLarge = (root: string, work: readonly Work[]) => storeAll(root, work, true);

await measure("floor: 20 KB, bare calls, one directory", smallWork(files, 20_000, 1, 1), floor);
await measure("20 KB, one owner, one prefix", smallWork(files, 20_000, 1, 1), store);
await measure("20 KB, one owner", smallWork(files, 20_000, 1, 256), store);
await measure("20 KB, 20 owners", smallWork(files, 20_000, 20, 256), store);
await measure(
  "20 KB, each its own owner",
  smallWork(Math.ceil(files / 4), 20_000, files, 256),
  store,
);
await measure("300 KB, one owner", smallWork(Math.ceil(files / 8), 300_000, 1, 256), store);
await measure("2 MB in 64 KiB pieces", smallWork(200, 2_000_000, 1, 256), storeLarge);
await measure("200 MB in 64 KiB pieces", smallWork(2, 200_000_000, 1, 256), storeLarge);
