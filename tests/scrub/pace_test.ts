/** How a look keeps to its pace. A pause is never shorter than is said here; how much longer, nobody promises. */
import assert from "node:assert/strict";
import { Pace, rateFor } from "../../src/scrub/pace.ts";

const MiB = 1024 * 1024;
/** A timer of a millisecond may fire a little early. */
const EARLY_MS = 2;

/** @returns for how many milliseconds a pace pauses after this */
async function pauseAfter(
  units: number,
  tookMs: number,
  { perSecond = Infinity, isWorkerStoring = false } = {},
): Promise<number> {
  const { signal: stop } = new AbortController();
  const pace = new Pace({
    perSecond: () => perSecond,
    isWorkerStoring: () => isWorkerStoring,
    stop,
  });
  const began = performance.now();
  await pace.after(units, tookMs);
  return performance.now() - began + EARLY_MS;
}

Deno.test("a rate is a ceiling: what was read too fast is waited for", async () => {
  assert.ok(await pauseAfter(MiB, 0, { perSecond: 10 * MiB }) >= 100);
  assert.ok(await pauseAfter(MiB, 60, { perSecond: 10 * MiB }) >= 40);
});

Deno.test("what took longer than it had to is no credit for later", async () => {
  const { signal: stop } = new AbortController();
  const pace = new Pace({ perSecond: () => 10 * MiB, isWorkerStoring: () => false, stop });
  await pace.after(MiB, 150);
  const began = performance.now();
  await pace.after(MiB, 0);
  assert.ok(performance.now() - began + EARLY_MS >= 100);
});

Deno.test("while the worker stores, a quarter of the pace is left", async () => {
  assert.ok(await pauseAfter(MiB, 0, { perSecond: 10 * MiB, isWorkerStoring: true }) >= 400);
});

Deno.test("a slow disk is left alone for as long as it needed", async () => {
  assert.ok(await pauseAfter(MiB, 300, { perSecond: 1000 * MiB }) >= 300);
  assert.ok(await pauseAfter(1, 250, { perSecond: 1000 }) >= 250, "a name");
});

Deno.test("at full speed there is no pause but the event loop's turn", () => {
  const { signal: stop } = new AbortController();
  const pace = new Pace({ perSecond: () => Infinity, isWorkerStoring: () => true, stop });
  assert.equal(pace.after(1000 * MiB, 10_000), null);
});

Deno.test("a pause ends when the scrub is stopped", async () => {
  const controller = new AbortController();
  const options = { perSecond: () => 1, isWorkerStoring: () => false, stop: controller.signal };
  const pause = new Pace(options).after(1_000_000, 0);
  controller.abort();
  await pause;
});

Deno.test("a look ends in nine tenths of its time, and one that is late is held up by nothing", () => {
  assert.equal(rateFor(900, 0, 1000_000, 0), 1);
  assert.equal(rateFor(900, 450, 500_000, 0), 1);
  assert.equal(rateFor(900, 0, 1000_000, 5), 5);
  assert.equal(rateFor(900, 0, 0, 5), Infinity);
  assert.equal(rateFor(900, 1000, 1000, 5), 5);
});
