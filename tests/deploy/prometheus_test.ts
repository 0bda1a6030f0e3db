/** The alert rules, each made to fire and to clear by the values that it looks at. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";

const DEPLOY = new URL("../../scripts/deploy/prometheus/", import.meta.url).pathname;
const RULES = join(DEPLOY, "omoide.rules.yml");

interface Case {
  readonly alert: string;
  /** What the alert carries beside its name. */
  readonly labels: Readonly<Record<string, string>>;
  /** Values by the minute: ten well, then wrong for three hours, then well again. */
  readonly series: Readonly<Record<string, string>>;
}

const WRONG = 180;
const turns = (well: number, wrong: number) => `${well}x9 ${wrong}x${WRONG - 1} ${well}x60`;
const constant = (value: number) => `${value}x260`;
const critical = (labels: Record<string, string> = {}) => ({ severity: "critical", ...labels });
const warning = (labels: Record<string, string> = {}) => ({ severity: "warning", ...labels });
const HOT = { storage: "hot" };

const CASES: readonly Case[] = [
  {
    alert: "OmoideAttention",
    labels: warning({ verdict: "attention" }),
    series: { 'omoide_verdict{verdict="attention"}': turns(0, 1) },
  },
  {
    alert: "OmoideMonitorAway",
    labels: critical({ job: "omoide" }),
    series: { 'up{job="omoide"}': turns(1, 0) },
  },
  {
    alert: "OmoideDatabaseAway",
    labels: critical(),
    series: { "omoide_database_up": turns(1, 0) },
  },
  {
    alert: "OmoideStorageDistrusted",
    labels: critical(HOT),
    series: { 'omoide_storage_distrusted{storage="hot"}': turns(0, 1) },
  },
  {
    alert: "OmoideFindings",
    labels: critical({ ...HOT, kind: "corrupt" }),
    series: { 'omoide_findings{storage="hot",kind="corrupt"}': turns(0, 2) },
  },
  {
    alert: "OmoideUnderReplicated",
    labels: critical(),
    series: { "omoide_under_replicated_media": turns(0, 7) },
  },
  {
    alert: "OmoideWorkerAway",
    labels: warning(HOT),
    series: {
      'omoide_storage_last_beat_age_seconds{storage="hot"}': turns(5, 600),
      'omoide_storage_owed_media{storage="hot"}': constant(3),
    },
  },
  {
    alert: "OmoideStorageBehind",
    labels: warning(HOT),
    series: { 'omoide_storage_oldest_owed_age_seconds{storage="hot"}': turns(0, 4000) },
  },
  {
    alert: "OmoideParked",
    labels: warning(HOT),
    series: { 'omoide_storage_parked_media{storage="hot"}': turns(0, 1) },
  },
  {
    alert: "OmoideNotLookedAt",
    labels: warning(HOT),
    series: {
      'omoide_storage_last_look_age_seconds{storage="hot"}': turns(3600, 200_000),
      "omoide_scrub_cycle_seconds": constant(2_592_000),
    },
  },
  {
    alert: "OmoideNotRead",
    labels: warning(HOT),
    series: {
      'omoide_storage_last_full_read_age_seconds{storage="hot"}': turns(3600, 6_000_000),
      "omoide_scrub_cycle_seconds": constant(2_592_000),
    },
  },
  {
    alert: "OmoideStorageFilling",
    labels: warning(HOT),
    series: {
      'omoide_storage_free_bytes{storage="hot"}': turns(50, 9),
      'omoide_storage_size_bytes{storage="hot"}': constant(100),
    },
  },
  {
    alert: "OmoideInboxFilling",
    labels: warning(),
    series: {
      "omoide_inbox_bytes": turns(1, 90),
      "omoide_inbox_limit_bytes": constant(100),
    },
  },
  {
    alert: "OmoideOldSnapshot",
    labels: warning(),
    series: { "omoide_inbox_oldest_snapshot_age_seconds": turns(2, 2000) },
  },
];

const PROMTOOL = requireTools(["promtool"]);

Deno.test({
  ...PROMTOOL,
  name: "each alert fires for its own fault, and clears when that is fixed",
  async fn() {
    const rules = await Deno.readTextFile(RULES);
    const named = [...rules.matchAll(/^\s*- alert: (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(CASES.map(({ alert }) => alert), named, "every alert has its case");
    const tests = CASES.map(({ alert, labels, series }) => {
      // A monitor that is scraped, unless its own fault is that it is not.
      const all = { 'up{job="omoide"}': constant(1), ...series };
      const at = (minute: number, fires: boolean) => ({
        expr: 'ALERTS{alertstate="firing"}',
        eval_time: `${minute}m`,
        exp_samples: fires ? [{ labels: alertSeries(alert, labels), value: 1 }] : [],
      });
      return {
        interval: "1m",
        input_series: Object.entries(all).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: [at(8, false), at(10 + WRONG - 5, true), at(10 + WRONG + 30, false)],
      };
    });
    await promtoolTest({ rule_files: [RULES], evaluation_interval: "1m", tests });
  },
});

function alertSeries(alert: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries({ alertname: alert, alertstate: "firing", ...labels });
  return `ALERTS{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}}`;
}

Deno.test({
  ...PROMTOOL,
  name:
    "who does not scrub hears of no missing look, and an idle archive with its workers off of nothing",
  async fn() {
    const series = {
      'up{job="omoide"}': constant(1),
      'omoide_storage_last_look_age_seconds{storage="hot"}': constant(9e6),
      'omoide_storage_last_full_read_age_seconds{storage="hot"}': constant(9e6),
      'omoide_storage_last_beat_age_seconds{storage="hot"}': constant(9e6),
      'omoide_storage_owed_media{storage="hot"}': constant(0),
      'omoide_storage_oldest_owed_age_seconds{storage="hot"}': constant(0),
    };
    const input_series = Object.entries(series).map(([name, values]) => ({ series: name, values }));
    const expected = { expr: "ALERTS", eval_time: "200m", exp_samples: [] };
    const tests = [{ interval: "1m", input_series, promql_expr_test: [expected] }];
    await promtoolTest({ rule_files: [RULES], evaluation_interval: "1m", tests });
  },
});

Deno.test({
  ...PROMTOOL,
  name: "a disk that will be full within a week raises an alert once that has been so for a day",
  async fn() {
    const series = {
      'up{job="omoide"}': "1x1700",
      'omoide_storage_free_bytes{storage="hot"}': "9000-1x1700",
      'omoide_storage_size_bytes{storage="hot"}': "10000x1700",
    };
    const input_series = Object.entries(series).map(([name, values]) => ({ series: name, values }));
    const at = (hours: number, exp_samples: unknown[]) => ({
      expr: 'ALERTS{alertstate="firing"}',
      eval_time: `${hours}h`,
      exp_samples,
    });
    const fires = { labels: alertSeries("OmoideStorageFilling", warning(HOT)), value: 1 };
    const tests = [{
      interval: "1m",
      input_series,
      promql_expr_test: [at(23, []), at(26, [fires])],
    }];
    await promtoolTest({ rule_files: [RULES], evaluation_interval: "1m", tests });
  },
});

async function promtoolTest(cases: unknown): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    // JSON is YAML.
    await Deno.writeTextFile(join(directory, "tests.yml"), JSON.stringify(cases));
    const { code, stdout, stderr } = await new Deno.Command("promtool", {
      args: ["test", "rules", join(directory, "tests.yml")],
    }).output();
    const decoder = new TextDecoder();
    assert.equal(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
