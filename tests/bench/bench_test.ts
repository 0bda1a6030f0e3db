/** The benchmark runs, and its JSON has every figure. What the figures are is nothing that a test knows. */
import assert from "node:assert/strict";
import { type FigureName, FIGURES } from "../../scripts/bench/figures.ts";
import type { ScenarioReport } from "../../scripts/bench/report.ts";
import { SCENARIOS } from "../../scripts/bench/scenarios.ts";
import { commandsIn } from "../../scripts/lib/test_run/run_tests.ts";
import { until } from "../lab/command.ts";
import { requireTools } from "../support/require_tool.ts";

/** Those that are counted under strace. */
const COUNTS: readonly FigureName[] = [
  "statements_per_media",
  "worker_fsyncs_per_media",
  "database_fsyncs_per_media",
];
/** Where none of the runs' directories may be left. */
const PREFIX = "omoide-bench-";

/** With a directory for what runs of the benchmark write; nothing of theirs may be left in it. */
async function withDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = await Deno.makeTempDir();
  await Deno.chmod(directory, 0o755);
  try {
    const result = await body(directory);
    const left = [...Deno.readDirSync(directory)].filter(({ name }) => name.startsWith(PREFIX));
    assert.deepEqual(left, []);
    return result;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function command(directory: string, ...args: readonly string[]): string[] {
  const script = new URL("../../scripts/bench.ts", import.meta.url).pathname;
  return [
    "run",
    "-A",
    "--no-check",
    script,
    "--json",
    "--rounds",
    "1",
    "--dir",
    directory,
    ...args,
  ];
}

async function bench(
  names: readonly string[],
  ...more: readonly string[]
): Promise<ScenarioReport[]> {
  return await withDirectory(async (directory) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: command(directory, "--quick", "--only", names.join(","), ...more),
    }).output();
    const [output, errors] = [stdout, stderr].map((text) => new TextDecoder().decode(text));
    assert.ok(code === 0, errors);
    return (JSON.parse(output ?? "") as { scenarios: ScenarioReport[] }).scenarios;
  });
}

/** Each contender of each scenario has figures, each of them a number; @returns which there are. */
function figuresIn(reports: readonly ScenarioReport[], names: readonly string[]): string[] {
  assert.deepEqual(reports.map(({ name }) => name), names);
  for (const { name, contenders } of reports) {
    const known = SCENARIOS.find((scenario) => scenario.name === name)?.contenders ?? {};
    assert.deepEqual(Object.keys(contenders), Object.keys(known));
    for (const [contender, figures] of Object.entries(contenders)) {
      assert.ok(figures.length > 0, `${name}: ${contender} has no figure`);
      for (const { figure, rounds } of figures) {
        assert.ok(
          rounds.length === 1 && Number.isFinite(rounds[0]),
          `${name}: ${contender}: ${figure}`,
        );
      }
    }
  }
  const all = reports.flatMap(({ contenders }) => Object.values(contenders).flat());
  return [...new Set(all.map(({ figure }) => figure))].sort();
}

Deno.test("a quick run of the benchmark gives every figure, and leaves nothing behind", async () => {
  const names = [
    ...["20kb", "submits-4kb-1", "latency", "start", "idle", "steady", "absent", "flat"],
    ...["scrub-20kb", "heartbeats", "gateway-1gb", "gateway-idle"],
  ];
  const reports = await bench(names);
  const wanted = Object.keys(FIGURES).filter((name) => !COUNTS.some((count) => count === name));
  assert.deepEqual(figuresIn(reports, names), wanted.sort());
  for (const { targets, ratios } of reports) {
    const compared = Object.values(ratios).flatMap(({ rounds }) => rounds);
    const values = [...targets.map(({ value }) => value), ...compared];
    assert.ok(values.every(Number.isFinite), JSON.stringify({ targets, ratios }));
  }
});

Deno.test({
  name: "a quick run counts fsyncs and statements",
  ...requireTools(["strace"]),
  fn: async () => {
    // The peers are counted alike, by the same code, and take a minute under strace.
    const [counts] = await bench(["counts"], "--beside", "workers");
    assert.deepEqual(Object.keys(counts?.contenders ?? {}), ["workers"]);
    const workers = counts?.contenders["workers"] ?? [];
    assert.deepEqual(workers.map(({ figure }) => figure).sort(), [...COUNTS].sort());
    // Each file is synced in two storages, and a database that keeps what it commits syncs its WAL.
    const [statements = 0, ofWorkers = 0, ofDatabase = 0] = workers.map(({ median }) => median);
    assert.ok(statements > 0 && ofWorkers >= 2 && ofDatabase > 0, JSON.stringify(workers));
  },
});

Deno.test("a benchmark that is interrupted ends what it has started, and leaves nothing behind", async () => {
  await withDirectory(async (directory) => {
    const process = new Deno.Command(Deno.execPath(), {
      args: command(directory, "--only", "steady"),
      stdout: "null",
      stderr: "null",
    }).spawn();
    const workers = () => commandsIn(directory).filter((each) => each.includes("--storage "));
    try {
      await until("its workers run", () => workers().length === 2);
    } finally {
      process.kill("SIGTERM");
    }
    assert.deepEqual((await process.status).code, 143);
    assert.deepEqual(commandsIn(directory), []);
  });
});
