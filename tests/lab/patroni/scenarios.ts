/**
 * `scenarios.ts DIRECTORY BINARIES [--asynchronous] EVENT…`: what happens to a cluster while uploads and two
 * workers run, one event after the other, and what is left in the end. Prints what it has measured; exits 0
 * if every promise was kept. Runs in a network namespace of its own.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { initInbox } from "../../../src/inbox/admin/migrate.ts";
import { pg } from "../../../src/inbox/pg.ts";
import { pause, until } from "../command.ts";
import { addStorage, admin } from "../template.ts";
import { WorkerProcess } from "../worker_process.ts";
import { Cluster } from "./cluster.ts";
import { Uploader } from "./uploader.ts";

const [directory = "", binaries = "", ...rest] = Deno.args;
const synchronous = !rest.includes("--asynchronous");
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

async function superuser(cluster: Cluster, node: number, database = "omoide"): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: `postgres://postgres@${cluster.hosts[node - 1]}/${database}`,
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

async function makeInbox(cluster: Cluster, primary: number): Promise<void> {
  const first = await superuser(cluster, primary, "postgres");
  await first.query("CREATE DATABASE omoide");
  await first.end();
  const client = await superuser(cluster, primary);
  await initInbox(client);
  for (const name of STORAGES) await addStorage(client, name, join(directory, "storages", name));
  await client.end();
}

function startWorker(cluster: Cluster, storage: string): WorkerProcess {
  return WorkerProcess.start({
    storage,
    root: join(directory, "storages", storage),
    database: { port: 5432, name: "omoide", hosts: cluster.hosts },
    passwordFile: join(directory, "storages", "password"),
    args: ["--poll-interval", "5", "--reserve", "0"],
  });
}

/** Makes one event happen, and waits until uploads and receipts of both storages go on after it. */
async function happen(cluster: Cluster, uploader: Uploader, event: string): Promise<void> {
  const old = await cluster.whole();
  const before = uploader.acknowledged.length;
  await until("uploads go on", () => uploader.acknowledged.length > before + 10, BOUND_MS);
  const began = performance.now();
  await EVENTS[event]?.(cluster, old);
  // A postmaster that was killed may be started again where it was.
  const primary = event === "postmaster killed"
    ? await until("there is a primary", async () => await cluster.primary() ?? undefined, BOUND_MS)
    : await cluster.promoted(old);
  const promoted = performance.now();
  const since = new Date();
  const first: Partial<Record<string, number>> = {};
  await until("receipts go on", async () => {
    const rows = await ask<{ storage: string }>(
      cluster,
      primary,
      "SELECT DISTINCT storage FROM omoide.receipt WHERE stored_at > $1",
      [since],
    ).catch(() => []);
    for (const { storage } of rows) first[storage] ??= performance.now() - promoted;
    return rows.length === STORAGES.length;
  }, BOUND_MS);
  const told = uploader.acknowledged.length;
  await until("uploads go on", () => uploader.acknowledged.length > told, BOUND_MS);
  console.log(
    `${event}: another primary after ${seconds(promoted - began)}; uploads paused for ${
      seconds(uploader.longestGapMs(began))
    }; receipts ${
      STORAGES.map((name) => `of ${name} ${seconds(first[name] ?? NaN)}`).join(" and ")
    }` +
      " after the promotion",
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
await Deno.mkdir(join(directory, "storages"));
await Deno.writeTextFile(join(directory, "storages", "password"), "secret\n");
await Deno.mkdir(join(directory, "cluster"));
await using cluster = await Cluster.start({
  ...{ directory: join(directory, "cluster"), binaries, synchronous, ttl: 10 },
});
console.log(`three nodes after ${seconds(performance.now() - began)}`);
await makeInbox(cluster, await cluster.whole());
const workers = STORAGES.map((name) => startWorker(cluster, name));
const uploader = new Uploader(cluster.url("omoide", "omoide_app"));
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
  for (const name of STORAGES) await admin("storage", "verify", join(directory, "storages", name));
  if (synchronous) assert.deepEqual(gone, []);
} catch (error) {
  for (const worker of workers) console.log(worker.output.slice(-3000));
  console.log(await cluster.logs());
  throw error;
} finally {
  for (const worker of workers) await worker[Symbol.asyncDispose]();
}
console.log(`all of it took ${seconds(performance.now() - began)}`);
