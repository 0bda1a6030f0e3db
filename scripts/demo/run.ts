import type { Connection } from "../../src/inbox/connect.ts";
import { roleOf } from "../../src/inbox/role_names.ts";
import { sleep } from "../../src/sleep.ts";
import { printError } from "../../src/terminal.ts";
import { showBytes } from "../../src/units.ts";
import { connectAsAdmin } from "../lib/connect_as_admin.ts";
import { filesOf, generatedFiles } from "./files.ts";
import { placeFor } from "./place.ts";
import { showProgress } from "./progress.ts";
import { type Proof, prove } from "./prove.ts";
import { submitAll } from "./submit.ts";
import { DemoSystem } from "./system.ts";

export interface DemoOptions {
  /** A folder whose files are submitted; generated ones where absent. */
  readonly files: string | undefined;
  /** Where everything stays; nothing does where absent. */
  readonly keep: string | undefined;
}

/** Runs the demo. Returns whether everything was as it should be. */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<boolean> {
  const files = options.files === undefined ? generatedFiles() : await filesOf(options.files);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const directory = await placeFor(options.keep);
  console.log("Starting PostgreSQL, making the inbox and the storages hot and cold …");
  const system = await DemoSystem.start(directory, options.keep !== undefined);
  try {
    await system.initialise();
    for (const { name, pid, flags } of system.startWorkers({ isRevived: false, stop: signal })) {
      console.log(`Worker of ${name}, process ${pid}, may do no more than:\n  ${flags.join(" ")}`);
    }
    console.log(`Submitting ${files.length} files, ${showBytes(bytes)}, as the role omoide_app:`);
    const began = performance.now();
    const progress = showProgress({
      submitted: files.length,
      hot: files.length,
      cold: files.length,
    });
    let submittedCount = 0;
    const drained = new AbortController();
    const [submitted] = await Promise.race([
      Promise.all([
        submitAll(
          system.urlOf(roleOf("app")),
          files,
          () => progress.update("submitted", ++submittedCount),
          signal,
        ),
        watchReceipts(system.adminUrl, files.length, progress.update, drained.signal),
      ]),
      system.workerDied().then((what) => Promise.reject(new Error(what))),
      new Promise<never>((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      ),
    ]).finally(() => {
      drained.abort();
      progress.stop();
    });
    const seconds = (performance.now() - began) / 1000;
    const ends = await system.stopWorkers();
    console.log(
      "Reading every file in both storages again, and comparing it with what was submitted:",
    );
    const reading = showProgress({ read: 2 * files.length });
    let read = 0;
    const proof = await prove(
      system.adminUrl,
      system.storages,
      submitted,
      () => reading.update("read", ++read),
    ).finally(() => reading.stop());
    const faults = [
      ...proof.faults,
      ...ends.filter(({ code }) => code !== 0)
        .map(({ name, code }) => `the worker of ${name} ended with exit code ${code}`),
    ];
    summarise({ ...proof, faults }, { files: files.length, bytes, seconds });
    if (options.keep !== undefined) {
      console.log(
        `Everything is in ${directory}: hot/, cold/, postgres/. Look again at any time with\n` +
          `  deno task admin storage verify ${directory}/hot`,
      );
    }
    return faults.length === 0;
  } finally {
    await system.stop();
    if (options.keep === undefined) await Deno.remove(directory, { recursive: true });
  }
}

/** Follows the receipts until each storage has one of every file. */
async function watchReceipts(
  database: string,
  total: number,
  update: (name: string, done: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const connection = await connectAsAdmin(database, "demo watch");
  try {
    while (!signal.aborted) {
      const counts = await countReceipts(connection);
      for (const [name, done] of counts) update(name, done);
      const { rows: [parked] } = await connection.query<{ what: string | null }>(
        "SELECT min(format('media %s is parked in %s: %s', media_id, storage, last_error)) AS what " +
          "FROM omoide.owed WHERE parked_at IS NOT NULL",
      );
      if (typeof parked?.what === "string") throw new Error(parked.what);
      if (["hot", "cold"].every((name) => counts.get(name) === total)) return;
      await sleep(200, signal);
    }
  } finally {
    await connection.end();
  }
}

async function countReceipts(connection: Connection): Promise<Map<string, number>> {
  const { rows } = await connection.query<{ storage: string; count: string }>(
    "SELECT storage, count(*) FROM omoide.receipt GROUP BY storage",
  );
  return new Map(rows.map(({ storage, count }) => [storage, Number(count)]));
}

function summarise(proof: Proof, carried: { files: number; bytes: number; seconds: number }): void {
  const { files, bytes, seconds } = carried;
  const rate = showBytes(2 * bytes / seconds);
  console.log(`
Carried    ${files} files, ${showBytes(bytes)}, into 2 storages in ${
    seconds.toFixed(1)
  } s (${rate}/s written)
Outcomes   ${Object.entries(proof.outcomes).map(([name, n]) => `${n} ${name}`).join(", ")}
Read again ${proof.files} files, ${showBytes(proof.bytes)}`);
  if (proof.faults.length === 0) {
    console.log(
      "The inbox is empty. Both storages hold every file, byte for byte. EVERYTHING IS SAFE.",
    );
  } else {
    for (const fault of proof.faults.slice(0, 20)) printError(`  ${fault}`);
    printError(`NOT SAFE: ${proof.faults.length} things are not as they should be.`);
  }
}
