/** The timelines of the database's cluster that a storage has acknowledged on, kept as names of files. */
import assert from "node:assert/strict";
import {
  DatabaseUnavailableError,
  StorageDistrustedError,
  StorageLostError,
  StoragePausedError,
} from "../../src/errors.ts";
import { Fault } from "./support/calls.ts";
import { TestStorage } from "./support/roots.ts";

const [OURS, OTHER] = ["7712551258605826755", "18446744073709551615"];
const on = (number: number, cluster = OURS) => ({ cluster, number });

/** What is in `.omoide` beside what `storage init` makes. */
function notes({ root }: TestStorage): string[] {
  return [...Deno.readDirSync(`${root}/.omoide`)].map(({ name }) => name)
    .filter((name) => !["objects", "probe", "storage.json"].includes(name)).sort();
}

Deno.test("a cluster's first timeline leaves no trace; each later one is noted once, for good", async () => {
  using test = new TestStorage();
  const storage = await test.open();
  await storage.enterTimeline(on(1));
  assert.deepEqual(notes(test), []);
  for (const number of [2, 2, 5, 5]) await storage.enterTimeline(on(number));
  assert.deepEqual(notes(test), [`timeline-${OURS}-2`, `timeline-${OURS}-5`]);
  assert.deepEqual((await storage.timelines()).sort((a, b) => a.number - b.number), [on(2), on(5)]);
  const { size, mode } = Deno.lstatSync(test.at(`.omoide/timeline-${OURS}-5`));
  assert.deepEqual([size, (mode ?? 0) & 0o7777], [0, 0o440]);
});

Deno.test("an older timeline is refused, whoever noted the newer one and whenever; another cluster's says nothing", async () => {
  using test = new TestStorage();
  const storage = await test.open();
  await storage.enterTimeline(on(2));
  await storage.enterTimeline(on(1, OTHER));
  Deno.writeTextFileSync(test.at(`.omoide/timeline-${OTHER}-9`), "");
  await storage.enterTimeline(on(2));
  // Another worker of this storage, on the other side of a cut.
  Deno.writeTextFileSync(test.at(`.omoide/timeline-${OURS}-3`), "");
  for (const number of [1, 2]) {
    await assert.rejects(storage.enterTimeline(on(number)), (error) => {
      assert.ok(error instanceof DatabaseUnavailableError);
      assert.match(error.message, /is an old primary, of timeline \d .*acknowledged on timeline 3/);
      return true;
    });
  }
  await storage.enterTimeline(on(3));
  await assert.rejects(storage.enterTimeline(on(8, OTHER)), /acknowledged on timeline 9/);
});

Deno.test("a timeline counts as noted when its directory has reached the disk", async () => {
  using test = new TestStorage();
  const fault = new Fault();
  const storage = await test.open({ calls: fault.calls });
  const synced: string[] = [];
  fault.set(({ name, path }) => {
    if (name === "sync") synced.push(path);
    return null;
  });
  await storage.enterTimeline(on(2));
  await storage.enterTimeline(on(2));
  assert.deepEqual(synced, [test.at(".omoide")]);
  // One that another process may not have synced yet.
  Deno.writeTextFileSync(test.at(`.omoide/timeline-${OURS}-3`), "");
  await storage.enterTimeline(on(3));
  assert.equal(synced.length, 2);
});

Deno.test("a timeline that cannot be noted is not entered: the storage waits, is distrusted or lost", async () => {
  const cases = [
    ["openNew", "ENOSPC", StoragePausedError],
    ["openNew", "EROFS", StoragePausedError],
    ["sync", "EIO", StorageDistrustedError],
    ["names", "ENOENT", StorageLostError],
  ] as const;
  for (const [call, code, kind] of cases) {
    using test = new TestStorage();
    const fault = new Fault();
    const storage = await test.open({ calls: fault.calls });
    fault.set(({ name }) => name === call ? code : null);
    await assert.rejects(storage.enterTimeline(on(2)), kind);
    fault.clear();
    if (kind !== StoragePausedError) await assert.rejects(storage.beginBatch(), kind);
    else await storage.enterTimeline(on(2));
  }
});
