/**
 * `scenarios.ts DIRECTORY BINARIES [--asynchronous] [--lanes] EVENT…`: what happens to a cluster while uploads and
 * two workers run, one event after the other, and what is left in the end; with `--lanes`, `hot` has four lanes and
 * three workers. Prints what it has measured; exits 0 if every promise was kept. Runs in a network namespace of its
 * own.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openInbox } from "../../../src/inbox/admin/inbox.ts";
import { setLanes } from "../../../src/inbox/admin/lanes.ts";
import { pg } from "../../../src/inbox/pg.ts";
import { pause, until } from "../command.ts";
import { Recipes } from "../../admin/support/recipes.ts";
import { admin } from "../template.ts";
import { WorkerProcess } from "../worker_process.ts";
import { Cluster } from "./cluster.ts";
import { Uploader } from "./uploader.ts";

const [directory = "", binaries = "", ...rest] = Deno.args;
const storages = join(directory, "storages");
const recipes = new Recipes(new URL("../../../scripts/deploy/FAILOVER.md", import.meta.url));
/** Of the application and the workers. */
const PASSWORD = "secret";
const synchronous = !rest.includes("--asynchronous");
/** Of `hot`: how many lanes, and how its workers share them when all is well. */
const [lanes, shares] = rest.includes("--lanes") ? [4, [2, 1, 1]] as const : [1, [1]] as const;
const EVENTS: Readonly<Record<string, (cluster: Cluster, primary: number) => Promise<void>>> = {
  switchover: (cluster, primary) => cluster.switchover(primary),
  "node killed": (cluster, primary) => cluster.killNode(primary),
  "network cut": (cluster, primary) => cluster.cut(primary),
  "postmaster killed": (cluster, primary) => cluster.killPostmaster(primary),
  "standbys behind, node killed": async (cluster, primary) => {
    await cluster.stopSending(primary);
    // Without a synchronous standby uploads go on meanwhile, and only the primary has them.
    await pause(5_000);
    await cluster.killNode(primary);
  },
};
const STORAGES = ["hot", "cold"] as const;
/** Generous: how long it takes is measured, that it goes on is asserted. */
const BOUND_MS = 90_000;

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

async function superuser(cluster: Cluster, node: number): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: cluster.adminUrl(node, "omoide"),
    connectionTimeoutMillis: 5_000,
  });
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function ask<Row extends pg.QueryResultRow>(
  cluster: Cluster,
  node: number,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = await superuser(cluster, node);
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** What the chapter's recipes find in the test, instead of their own addresses. */
function fit(script: string): string {
  return script.replaceAll("192.0.2.1", "10.95.0.");
}

async function makeInbox(cluster: Cluster): Promise<void> {
  const { env } = cluster.administrator;
  for (const name of STORAGES) {
    await Deno.writeTextFile(`${storages}/${name}.password`, `${PASSWORD}\n`);
  }
  const path = `${binaries}:${Deno.env.get("PATH")}`;
  await recipes.follow(storages, "inbox", { ...env, PATH: path }, fit);
  const client = await superuser(cluster, await cluster.whole());
  await client.query(`ALTER ROLE omoide_app PASSWORD '${PASSWORD}'`);
  await client.end();
  await using inbox = await openInbox(cluster.adminUrl(await cluster.whole(), "omoide"));
  await setLanes(inbox, "hot", lanes);
}

/** Waits until the workers of `hot` share its lanes as if nothing had happened. */
async function lanesShared(cluster: Cluster, primary: number): Promise<void> {
  await until(`the lanes are shared ${shares}`, async () => {
    const rows = await ask<{ held: number }>(
      cluster,
      primary,
      "SELECT cardinality(l.held) AS held FROM omoide.storage s, omoide.lane_sessions(s.id) l " +
        "WHERE s.name = 'hot' AND l.lanes = s.lanes AND cardinality(l.held) > 0 ORDER BY 1 DESC",
    ).catch(() => []);
    return rows.map(({ held }) => held).join() === shares.join();
  }, BOUND_MS);
}

function startWorker(cluster: Cluster, storage: string): WorkerProcess {
  return WorkerProcess.start({
    storage,
    root: join(storages, storage),
    database: { port: 5432, name: "omoide", hosts: cluster.hosts },
    passwordFile: join(storages, `${storage}.password`),
    args: ["--poll-interval", "5", "--reserve", "0"],
  });
}

/** The node that takes writes: another one, or this one with a PostgreSQL that was started after that. */
async function startedAfter(
  cluster: Cluster,
  since: Date,
  old: number,
): Promise<number | undefined> {
  const primary = await cluster.primary();
  if (primary === null) return undefined;
  if (primary !== old) return primary;
  const [row] = await ask<{ late: boolean }>(
    cluster,
    primary,
    "SELECT pg_postmaster_start_time() > $1 AS late",
    [since],
  ).catch(() => []);
  return row?.late === true ? primary : undefined;
}

/** Makes one event happen, and waits until uploads and receipts of both storages go on after it. */
async function happen(cluster: Cluster, uploader: Uploader, event: string): Promise<void> {
  const old = await cluster.whole();
  const before = uploader.acknowledged.length;
  await until("uploads go on", () => uploader.acknowledged.length > before + 10, BOUND_MS);
  const since = new Date(), began = performance.now();
  await EVENTS[event]?.(cluster, old);
  // A postmaster that was killed may be started again where it was.
  const primary = event === "postmaster killed"
    ? await until("it was started again", () => startedAfter(cluster, since, old), BOUND_MS)
    : await cluster.promoted(old);
  const promoted = performance.now();
  const promotedAt = new Date();
  const first: Partial<Record<string, number>> = {};
  await until("receipts go on", async () => {
    const rows = await ask<{ storage: string }>(
      cluster,
      primary,
      "SELECT DISTINCT storage FROM omoide.receipt WHERE stored_at > $1",
      [promotedAt],
    ).catch(() => []);
    for (const { storage } of rows) first[storage] ??= performance.now() - promoted;
    return rows.length === STORAGES.length;
  }, BOUND_MS);
  await lanesShared(cluster, primary);
  const sharedAfter = performance.now() - promoted;
  const told = uploader.acknowledged.length;
  await until("uploads go on", () => uploader.acknowledged.length > told, BOUND_MS);
  console.log(
    `${event}: another primary after ${seconds(promoted - began)}; uploads paused for ${
      seconds(uploader.longestGapMs(began))
    }; receipts ${
      STORAGES.map((name) => `of ${name} ${seconds(first[name] ?? NaN)}`).join(" and ")
    }` +
      ` after the promotion, lanes shared ${seconds(sharedAfter)}`,
  );
  if (event === "network cut") await cluster.heal(old);
  if (event.endsWith("node killed")) await cluster.startNode(old);
}

/** Everything that was acknowledged and is unknown to the inbox now. */
async function lost(cluster: Cluster, primary: number, uploader: Uploader): Promise<string[]> {
  const rows = await ask<{ sha256: string }>(
    cluster,
    primary,
    "SELECT DISTINCT encode(sha256, 'hex') AS sha256 FROM omoide.media",
  );
  const known = new Set(rows.map(({ sha256 }) => sha256));
  return uploader.acknowledged.map(({ sha256 }) => sha256).filter((sha256) => !known.has(sha256));
}

async function drained(cluster: Cluster): Promise<number> {
  return await until("nothing is owed", async () => {
    const primary = await cluster.primary();
    if (primary === null) return undefined;
    const [row] = await ask<{ owed: number }>(
      cluster,
      primary,
      "SELECT count(*)::int AS owed FROM omoide.owed",
    ).catch(() => []);
    return row?.owed === 0 ? primary : undefined;
  }, BOUND_MS);
}

const events = rest.filter((each) => !each.startsWith("--"));
for (const event of events) if (!(event in EVENTS)) throw new Error(`There is no event ${event}`);
const began = performance.now();
await Deno.mkdir(storages);
await Deno.mkdir(join(directory, "cluster"));
await using cluster = await Cluster.start({
  ...{ directory: join(directory, "cluster"), binaries, synchronous, recipes },
});
console.log(`three nodes after ${seconds(performance.now() - began)}`);
await makeInbox(cluster);
const workers = ["cold", ...shares.map(() => "hot")].map((name) => startWorker(cluster, name));
const uploader = new Uploader(cluster.url("omoide", "omoide_app"), PASSWORD);
try {
  for (const event of events) await happen(cluster, uploader, event);
  await uploader.stop();
  await cluster.whole();
  const primary = await drained(cluster);
  const gone = await lost(cluster, primary, uploader);
  console.log(
    `acknowledged to the uploader: ${uploader.acknowledged.length}, lost: ${gone.length}, ` +
      `tried again: ${uploader.failures}`,
  );
  assert.deepEqual(await ask(cluster, primary, "SELECT * FROM omoide.parked"), []);
  for (const worker of workers) assert.equal(worker.over, false, worker.output);
  if (synchronous) {
    assert.deepEqual(gone, []);
    recipes.leaveOut("after-asynchronous-failover");
  } else {
    assert.ok(gone.length > 0, "nothing was lost, so this shows nothing");
    for (const worker of workers) await worker.stop();
    const { url, env } = cluster.administrator;
    await recipes.follow(storages, "after-asynchronous-failover", { ...env, DATABASE: url }, fit);
    const left = await lost(cluster, primary, uploader);
    console.log(`after rebuilding: ${left.length} of ${gone.length} are lost`);
    assert.ok(left.length < gone.length);
  }
  for (const name of STORAGES) await admin("storage", "verify", join(storages, name));
  recipes.requireAll();
} catch (error) {
  for (const worker of workers) console.log(worker.output.slice(-3000));
  console.log(await cluster.logs());
  throw error;
} finally {
  for (const worker of workers) await worker[Symbol.asyncDispose]();
}
console.log(`all of it took ${seconds(performance.now() - began)}`);
