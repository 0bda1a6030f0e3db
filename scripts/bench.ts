/**
 * `deno task bench`: how fast two concurrent workers carry media into two storages, every fsync in place,
 * as ratios against plain tools in the same run: a naive worker without fsync, and `cp` twice and `sync`.
 * Prints tables; asserts nothing, since machines differ.
 */
import { Command, InvalidArgumentError } from "commander";
import { Ground } from "./bench/ground.ts";
import { carryWithWorkers, COPIES, type Copy, copyTwice, naiveTwice } from "./bench/runs.ts";

const program = new Command("bench")
  .option("--rounds <n>", "rounds of each; medians and each round's ratios are printed", count, 3)
  .option("--owners <n>", "owners of the small media", count, 1)
  .option("--dir <dir>", "where to write: the disk that is measured")
  .parse(Deno.args, { from: "user" });
const { rounds, owners, dir } = program.opts<{ rounds: number; owners: number; dir?: string }>();

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("It takes a whole number from 1.");
}

const KB = 1000;
const MB = 1000 * KB;
const small = { count: 5000, size: 20 * KB, owners };
const large = { count: 400, size: 2 * MB, owners: 1 };

/** What each way took, in seconds, by round. */
const taken = new Map<string, number[]>();
const note = (way: string, seconds: number) => {
  taken.set(way, [...taken.get(way) ?? [], seconds]);
  console.log(`  ${way}: ${seconds.toFixed(2)} s`);
};
const carry = async (ground: Ground, name: string, load: typeof small) => {
  const { stored, released } = await carryWithWorkers(ground, load);
  note(name, stored);
  note(`${name}, inbox empty`, released);
};

{
  await using ground = await Ground.make(dir);
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round}`);
    await carry(ground, "small", small);
    note("naive", await naiveTwice(ground, small));
    await carry(ground, "large", large);
    for (const copy of Object.keys(COPIES) as Copy[]) {
      note(copy, await copyTwice(ground, large, copy));
    }
  }
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
const times = (way: string) => taken.get(way) ?? [];
/** How much faster `way` was than `other`, round by round: the machine's speed drifts between rounds. */
const ratios = (way: string, other: string) =>
  times(way).map((seconds, round) => (times(other)[round] ?? NaN) / seconds);
const row = (way: string, amount: number, unit: string, workers: string) => {
  const rate = `${(amount / median(times(way))).toFixed(0)} ${unit}`;
  const against = ratios(workers, way);
  const shown = way.startsWith(workers)
    ? ""
    : `workers / this: ${median(against).toFixed(2)} (${
      against.map((ratio) => ratio.toFixed(2)).join(", ")
    })`;
  console.log(`  ${way.padEnd(30)} ${rate.padStart(12)}  ${shown}`);
};

console.log(`
${small.count} media of ${small.size / KB} KB, ${small.owners} owner(s), each into both storages`);
for (const way of ["small", "small, inbox empty", "naive"]) row(way, small.count, "/s", "small");
console.log(`${large.count} media of ${large.size / MB} MB, each into both storages`);
for (const way of ["large", "large, inbox empty", ...Object.keys(COPIES)]) {
  row(way, large.count * large.size / MB, "MB/s", "large");
}
