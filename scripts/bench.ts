/**
 * `deno task bench`: how fast two concurrent workers carry media into two storages, every fsync in place,
 * as ratios against plain tools in the same run: a naive worker without fsync, `cp` twice and `sync`.
 * Prints a table; asserts nothing, since machines differ.
 */
import { Command } from "commander";
import { carryWithWorkers, copyTwice, naiveTwice } from "./bench/runs.ts";

const program = new Command("bench")
  .option("--rounds <n>", "rounds of each, medians are printed", "3")
  .option("--owners <n>", "owners of the small media", "1")
  .parse(Deno.args, { from: "user" });
const { rounds, owners } = program.opts<{ rounds: string; owners: string }>();

const KB = 1000;
const MB = 1000 * KB;
const small = { count: 5000, size: 20 * KB, owners: Number(owners) };
const large = { count: 400, size: 2 * MB, owners: 1 };

const seconds = { small: [], naive: [], large: [], copy: [] } as Record<string, number[]>;
const take = async (name: string, run: () => Promise<number>) => {
  const taken = await run();
  seconds[name]?.push(taken);
  console.log(`  ${name}: ${taken.toFixed(2)} s`);
};
for (let round = 1; round <= Number(rounds); round++) {
  console.log(`round ${round}`);
  await take("small", () => carryWithWorkers(small));
  await take("naive", () => naiveTwice(small));
  await take("large", () => carryWithWorkers(large));
  await take("copy", () => copyTwice(large));
}

const median = (name: string) => {
  const sorted = (seconds[name] ?? []).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
};
const rate = (name: string, amount: number) => amount / median(name);
const megabytes = large.count * large.size / MB;
console.log(`
${small.count} media of ${small.size / KB} KB, ${small.owners} owner(s), each into both storages
  workers  ${rate("small", small.count).toFixed(0)} media/s
  naive    ${rate("naive", small.count).toFixed(0)} media/s, one row at a time, no fsync
  ratio    ${(median("naive") / median("small")).toFixed(2)}
${large.count} media of ${large.size / MB} MB, each into both storages
  workers  ${rate("large", megabytes).toFixed(0)} MB/s
  cp, sync ${rate("copy", megabytes).toFixed(0)} MB/s
  ratio    ${(median("copy") / median("large")).toFixed(2)}`);
