/**
 * Compares two synthetic storages of as many names as the argument says, and prints what it found and
 * the peak memory of the process, in MiB. A program of its own, so that its memory is its own.
 */
import { compare, type Compared, Comparison } from "../../../src/storage/admin/compare.ts";

const names = Number(Deno.args[0]);

function hex(n: number, digits: number): string {
  return n.toString(16).padStart(digits, "0");
}

/** Every tenth is missing in A, every eleventh in B, every thirteenth has other bytes in B. */
function* side(letter: "A" | "B"): Generator<Compared> {
  for (let i = 0; i < names; i++) {
    if (i % 10 === 0 && letter === "A" || i % 11 === 0 && letter === "B") continue;
    const owner = `${hex(Math.floor(i / 1000), 8)}-0000-4000-8000-000000000000`;
    const item = `${hex(i, 8)}-0000-4000-8000-000000000000`;
    const sha256 = hex(i, 62) + (i % 13 === 0 && letter === "B" ? "01" : "00");
    yield { path: `content/${owner}/${item.slice(0, 2)}/${item}.jpg`, sha256, size: i };
  }
}

const count = new Comparison();
const startedAt = performance.now();
let differences = 0;
for await (const _ of compare(side("A"), side("B"), count)) differences++;
const status = Deno.readTextFileSync("/proc/self/status");
const peakMiB = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
console.log(JSON.stringify({ ...count, differences, peakMiB, seconds }));
