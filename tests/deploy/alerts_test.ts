/**
 * Every alert fires for a fault that was really made, and clears when that was really fixed: a real system,
 * scraped by a real Prometheus. Only what would take hours is shortened: how long a rule waits, one threshold,
 * and the past. Four alerts go by how long nothing has happened (a worker away for two minutes, a media owed
 * for an hour, a storage not looked at for two days, not read for two cycles of an hour or more): that nothing
 * happens is real, and how long ago it began is moved in the inbox. Thresholds of
 * seconds were the other way: later steps of this test, which take longer, would fire those alerts again.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { adminExits, databaseOf } from "../admin/support/run.ts";
import { flipBit } from "../admin/support/tree.ts";
import { run, until } from "../lab/command.ts";
import { unmountAtLast } from "../lab/mount.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { fileCalls } from "../../src/storage/file_calls.ts";
import { MonitorProcess } from "../monitor/support/monitor_process.ts";
import { scrubOnce } from "../scrub/support/scrub_process.ts";
import { store, type Stored } from "../scrub/support/stored.ts";
import { freePort } from "../../scripts/lib/free_port.ts";
import { requireTools } from "../support/require_tool.ts";
import { Prometheus, type Sample } from "./support/prometheus.ts";

const DEPLOY = new URL("../../scripts/deploy/prometheus/", import.meta.url).pathname;
const FIRING = 'ALERTS{alertstate="firing"}';

/** Of one system that is as broken as it can be while somebody can still see it. */
const BESIDE_EACH_OTHER = [
  "OmoideAttention",
  "OmoideFindings hot corrupt",
  "OmoideInboxFilling",
  "OmoideNotLookedAt cold",
  "OmoideNotRead cold",
  "OmoideOldSnapshot",
  "OmoideParked cold",
  "OmoideStorageBehind hot",
  "OmoideStorageDistrusted hot",
  "OmoideStorageFilling cold",
  "OmoideUnderReplicated",
  "OmoideWorkerAway hot",
];
/** Of one that nobody can see. */
const ALONE = ["OmoideDatabaseAway", "OmoideMonitorAway"];

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });

/** What is shorter is one question that the monitor was too busy to answer. */
const GAP_S = 10;

/** The rules as they are shipped, but that nobody waits: a transaction of half an hour has no short cut. */
async function hastyRules(): Promise<string> {
  const rules = await Deno.readTextFile(join(DEPLOY, "omoide.rules.yml"));
  const hasty = rules.replace(/^(\s*for:) .*$/gm, "$1 4s").replace("> 1800", "> 1");
  assert.ok(hasty.includes("oldest_snapshot_age_seconds > 1\n"));
  return hasty;
}

Deno.test({
  ...requireTools(["prometheus", "strace"], { root: true }),
  name: "each alert fires once for a fault that is made, and clears once when that is fixed",
  sanitizeResources: false,
  async fn(t) {
    await using disk = await SmallDisk.make();
    await using world = await template().world({ cold: disk.root });
    const media = await store(world, 3);
    for (const storage of ["hot", "cold"]) {
      const { code, output } = await scrubOnce(world, { storage });
      assert.equal(code, 0, output);
    }
    const port = freePort();
    await using monitor = await MonitorProcess.start(world, [], port);
    await monitor.becomes("/healthz", ({ text }) => text.startsWith("SAFE: every"));
    await using prometheus = await Prometheus.start(`127.0.0.1:${port}`, await hastyRules());
    const firing = async () => (await prometheus.ask(FIRING)).map(nameOf).sort();
    const fires = async (names: readonly string[]) =>
      await untilSame("these alerts fire", firing, [...names].sort());
    await until(
      "it has scraped",
      async () => (await prometheus.ask("omoide_verdict")).length === 3,
    );
    await fires([]);
    const began = Date.now() / 1000;

    const fixes: (() => Promise<unknown>)[] = [];
    await t.step("faults beside each other", async () => {
      for (const fault of FAULTS) fixes.push(await fault(world, disk, media));
      await fires(BESIDE_EACH_OTHER);
    });
    await t.step("every query of the dashboard has an answer", async () => {
      const dashboard = JSON.parse(await Deno.readTextFile(join(DEPLOY, "omoide.dashboard.json")));
      const queries: string[] = dashboard.panels.flatMap(
        ({ targets = [] }: { targets?: { expr: string }[] }) => targets.map(({ expr }) => expr),
      );
      assert.ok(queries.length >= 10, `${queries.length} queries`);
      for (const query of queries) {
        await until(`${query} has an answer`, async () => (await prometheus.ask(query)).length > 0);
      }
    });
    await t.step("all of them fixed", async () => {
      for (const fix of fixes) await fix();
      await restored(world);
      await fires([]);
    });
    await t.step("the database away", async () => {
      monitor.wire.goAway();
      await fires(["OmoideDatabaseAway"]);
      monitor.wire.comeBack();
      await fires([]);
    });
    await t.step("the monitor away", async () => {
      await monitor.end("SIGKILL");
      await fires(["OmoideMonitorAway"]);
      await using again = await MonitorProcess.start(world, [], port);
      await again.becomes("/healthz", ({ text }) => text.startsWith("SAFE: every"));
      await fires([]);
    });

    const rules = await Deno.readTextFile(join(DEPLOY, "omoide.rules.yml"));
    const known = [...rules.matchAll(/^\s*- alert: (\w+)/gm)].map(([, name]) => name).sort();
    const tried = [...BESIDE_EACH_OTHER, ...ALONE];
    assert.deepEqual(tried.map((name) => name.split(" ")[0]).sort(), known, "every alert is here");
    const series = await prometheus.secondsOf(FIRING, began);
    const times = new Map(tried.map((name) => [name, 0]));
    for (const { metric, values } of series) {
      const name = nameOf({ metric });
      const starts = values.filter(([at], i) => at - (values[i - 1]?.[0] ?? -Infinity) > GAP_S);
      times.set(name, (times.get(name) ?? 0) + starts.length);
    }
    assert.deepEqual([...times], tried.map((name) => [name, 1]), "each fired once, and no other");
  },
});

/** An alert and what it is about. */
function nameOf({ metric: { alertname, storage, kind } }: Sample): string {
  return [alertname, storage, kind].filter((part) => part !== undefined).join(" ");
}

/** As `until`, and says what it was instead. */
async function untilSame<T>(what: string, ask: () => Promise<T>, expected: T): Promise<void> {
  let last: T | undefined;
  try {
    await until(what, async () => {
      last = await ask();
      return JSON.stringify(last) === JSON.stringify(expected);
    });
  } catch {
    assert.deepEqual(last, expected, what);
  }
}

/** A fault. @returns what fixes it */
type Fault = (
  world: World,
  disk: SmallDisk,
  media: readonly Stored[],
) => Promise<() => Promise<unknown>>;

/** In this order: what is distrusted stores nothing more. */
const FAULTS: readonly Fault[] = [
  // A bit that rots, and a look that finds it.
  async (world, _disk, [media]) => {
    const root = world.root("hot");
    flipBit(join(root, media?.object ?? ""));
    assert.equal((await scrubOnce(world)).code, 8);
    return () => adminExits(0, "storage", "repair", root, "--from", world.root("cold"));
  },
  // A blob that is not what was uploaded.
  async (world) => {
    const [media] = await world.submitMany(new Random(2), 1, () => 5000);
    const flip = () =>
      world.query(
        "UPDATE omoide.media_chunk SET bytes = set_byte(bytes, 7, 255 - get_byte(bytes, 7)) " +
          "WHERE media_id = $1",
        [String(media?.id)],
      );
    await flip();
    assert.equal((await world.drainOnce("cold")).code, 6);
    return async () => {
      await flip();
      await adminExits(0, "inbox", "retry", "--all", ...databaseOf(world));
    };
  },
  // A disk that nobody emptied.
  async (world, disk) => {
    await disk.fill();
    await world.submitMany(new Random(3), 1, () => 50_000);
    await world.drainOnce("cold");
    return () => disk.empty();
  },
  // A disk that fails an fsync: nothing that it has acknowledged counts.
  async (world) => {
    const trace = {
      log: await world.temporaryFile(),
      calls: ["fdatasync"],
      inject: ["fdatasync:error=EIO"],
    };
    assert.equal((await world.drainOnce("hot", { trace })).code, 5);
    const root = ["--root", world.root("hot"), "--remounted", "--redeliver"];
    return () => adminExits(0, "storage", "trust", "hot", ...root, ...databaseOf(world));
  },
  // Its worker has been away for an hour and longer.
  async (world) => {
    await world.query(
      "UPDATE omoide.worker SET seen_at = seen_at - interval '2 hours' WHERE storage_id = " +
        "(SELECT id FROM omoide.storage WHERE name = 'hot')",
    );
    await world.query(
      "UPDATE omoide.media SET sealed_at = sealed_at - interval '2 hours' WHERE id IN " +
        "(SELECT media_id FROM omoide.owed GROUP BY 1 HAVING array_agg(storage) = '{hot}')",
    );
    return () => Promise.resolve();
  },
  // Ninety days go by for the scrub of the other.
  async (world) => {
    await world.query(
      "UPDATE omoide.look SET finished_at = finished_at - interval '90 days' WHERE storage_id = " +
        "(SELECT id FROM omoide.storage WHERE name = 'cold')",
    );
    return () => Promise.resolve();
  },
  // An inbox that is small for what waits in it.
  async (world) => {
    const limits = ["inbox", "limits", ...databaseOf(world), "--max-inbox-bytes"];
    await adminExits(0, ...limits, "60000");
    return () => adminExits(0, ...limits, "5GiB");
  },
  // An application that forgets to end its transaction.
  async (world) => {
    const application = await world.connectApplication();
    await application.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await application.query(
      "SELECT * FROM omoide.find_media(gen_random_uuid(), gen_random_uuid())",
    );
    return () => application.end();
  },
];

/** Workers and scrubs have done what they had to do. */
async function restored(world: World): Promise<void> {
  await world.drainAll();
  for (const storage of ["hot", "cold"]) {
    const { code, output } = await scrubOnce(world, { storage });
    assert.equal(code, 0, output);
  }
}

/** A disk of 32 MiB. */
class SmallDisk implements AsyncDisposable {
  private constructor(private readonly path: string) {}

  static async make(): Promise<SmallDisk> {
    const path = await Deno.makeTempDir({ prefix: "omoide-small-disk-" });
    await run("mount", "-t", "tmpfs", "-o", "size=32M,mode=0755", "tmpfs", path);
    await Deno.mkdir(join(path, "root"));
    return new SmallDisk(path);
  }

  get root(): string {
    return join(this.path, "root");
  }

  /** Up to 8 % that are free: less than a tenth, and more than a worker keeps. */
  async fill(): Promise<void> {
    const { blocks, blocksAvailable, blockSize } = fileCalls.statfs(this.path);
    const bytes = Math.floor(blocksAvailable - blocks * 0.08) * blockSize;
    await Deno.writeFile(join(this.path, "filler"), new Uint8Array(bytes));
  }

  async empty(): Promise<void> {
    await Deno.remove(join(this.path, "filler"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unmountAtLast(this.path);
    await Deno.remove(this.path);
  }
}
