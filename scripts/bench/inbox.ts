/**
 * Measures what the inbox's functions cost on this machine, on an embedded PostgreSQL with fsync on.
 *
 *     deno run -A scripts/bench/inbox.ts [--version 15|18] [--seconds 5]
 */
import { parseArgs } from "node:util";
import type { Connection } from "../../src/inbox/connect.ts";
import {
  IDENTITIES,
  makeInbox,
  startPostgres,
  type TestInbox,
} from "../../tests/support/postgres.ts";

const KIB = 1024;
const SUBMIT = "SELECT omoide.submit_media($1, $2, 'content', 'jpg', $3)";

/** Submits for so many seconds on so many connections; media per second. */
async function submitRate(
  inbox: TestInbox,
  connections: number,
  seconds: number,
  owners: number,
  statement: string,
) {
  const content = new Uint8Array(20 * KIB);
  const ownerUuids = Array.from({ length: owners }, () => crypto.randomUUID());
  const clients = await Promise.all(Array.from({ length: connections }, () => inbox.as("app")));
  const end = performance.now() + seconds * 1000;
  let submitted = 0;
  await Promise.all(clients.map(async (client) => {
    while (performance.now() < end) {
      await client.query(statement, [
        ownerUuids[submitted % owners],
        crypto.randomUUID(),
        content,
      ]);
      submitted++;
    }
  }));
  for (const client of clients) await client.end();
  return Math.round(submitted / seconds);
}

/** What the inbox holds, put there in one statement, past the limits. */
async function fill(admin: Connection, media: number, bytes: number): Promise<void> {
  await admin.query(
    `WITH m AS (
       INSERT INTO omoide.media
         (owner_uuid, item_uuid, media_type, ext, size, sha256, sealed_at, holds_name, public_name)
       SELECT gen_random_uuid(), i, 'content', 'jpg', $2, sha256(''), now(), true, i || '.jpg'
       FROM (SELECT gen_random_uuid() AS i FROM generate_series(1, $1::int)) AS items
       RETURNING id
     ), d AS (
       INSERT INTO omoide.delivery (storage_id, media_id)
       SELECT s.id, m.id FROM m, omoide.storage s
     )
     INSERT INTO omoide.media_chunk
     SELECT m.id, 0, decode(repeat('ab', $2::int), 'hex'), 0 FROM m WHERE $2 > 0`,
    [media, bytes],
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const ACKNOWLEDGE =
  "SELECT count(*) FILTER (WHERE result = 'acknowledged') AS n FROM omoide.acknowledge($1, $2, $3, $4, $5, $6)";

async function acknowledge(
  client: Connection,
  identity: string,
  ids: string[],
  size: number,
): Promise<number> {
  const sha256 = "\\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  let acknowledged = 0;
  const took = await timed(async () => {
    const { rows } = await client.query<{ n: string }>(ACKNOWLEDGE, [
      identity,
      ids,
      ids.map(() => sha256),
      ids.map(() => size),
      ids.map(() => "stored"),
      ids.map(() => null),
    ]);
    acknowledged = Number(rows[0]?.n);
  });
  if (acknowledged !== ids.length) throw new Error(`${acknowledged} of ${ids.length} acknowledged`);
  return took;
}

async function pendingIds(client: Connection, limit: number, after = "0"): Promise<string[]> {
  const { rows } = await client.query<{ media_id: string }>(
    "SELECT media_id FROM omoide.pending($1, $2)",
    [after, limit],
  );
  return rows.map(({ media_id }) => media_id);
}

function median(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `${(sorted[sorted.length >> 1] ?? NaN).toFixed(1)} ms (median of ${values.length})`;
}

const { values: options } = parseArgs({
  options: {
    version: { type: "string", default: "18" },
    seconds: { type: "string", default: "5" },
  },
});
const version = options.version === "15" ? 15 : 18;
await using pg = await startPostgres({ version });
console.log(`PostgreSQL ${version}`);

for (const [connections, owners] of [[1, 1], [4, 1], [4, 100]] as const) {
  const inbox = await makeInbox(pg);
  // What the same bytes cost in a table with nothing around it, at the same moment on the same disk.
  await inbox.admin.query(
    "CREATE TABLE public.plain (owner uuid, item uuid PRIMARY KEY, bytes bytea); " +
      "ALTER TABLE public.plain ALTER bytes SET STORAGE EXTERNAL; " +
      "GRANT USAGE ON SCHEMA public TO omoide_app; GRANT INSERT ON public.plain TO omoide_app",
  );
  const seconds = Number(options.seconds);
  const plain = "INSERT INTO public.plain VALUES ($1, $2, $3)";
  const floor = await submitRate(inbox, connections, seconds, owners, plain);
  const rate = await submitRate(inbox, connections, seconds, owners, SUBMIT);
  console.log(
    `submit_media, 20 KiB, ${connections} connections, ${owners} owners: ${rate}/s ` +
      `(plain INSERT ${floor}/s)`,
  );
  await inbox.admin.end();
}

{
  const inbox = await makeInbox(pg);
  const hot = await inbox.as("hot");
  const cold = await inbox.as("cold");
  const [acks, releases]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round++) {
    await fill(inbox.admin, 1024, 20 * KIB);
    const ids = await pendingIds(hot, 1024);
    acks.push(
      await acknowledge(hot, IDENTITIES.hot, ids, 20 * KIB),
      await acknowledge(cold, IDENTITIES.cold, ids, 20 * KIB),
    );
    releases.push(await timed(() => cold.query("SELECT omoide.release($1)", [ids])));
  }
  console.log(`acknowledge 1,024: ${median(acks)}`);
  console.log(`release 1,024 of 20 KiB: ${median(releases)}`);
}

{
  const inbox = await makeInbox(pg);
  const [hot, cold] = [await inbox.as("hot"), await inbox.as("cold")];
  await fill(inbox.admin, 100_000, 0);
  const [first, deep, last]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < 5; round++) {
    first.push(await timed(() => pendingIds(hot, 1024)));
    deep.push(await timed(() => pendingIds(hot, 1024, "90000")));
    const ids = await pendingIds(hot, 100);
    await acknowledge(hot, IDENTITIES.hot, ids, 0);
    last.push(
      await acknowledge(cold, IDENTITIES.cold, ids, 0) +
        await timed(() => cold.query("SELECT omoide.release($1)", [ids])),
    );
  }
  console.log(`at a backlog of 100,000: pending(0, 1024): ${median(first)}`);
  console.log(`  pending(90000, 1024): ${median(deep)}`);
  console.log(`  last of 100 acknowledgements, and release: ${median(last)}`);
  console.log(`  sweep: ${median([await timed(() => hot.query("SELECT omoide.sweep()"))])}`);
  const all = await pendingIds(hot, 100_000);
  await acknowledge(hot, IDENTITIES.hot, all, 0);
  console.log(
    `  sweep, hot done, cold absent: ${
      median([await timed(() => hot.query("SELECT omoide.sweep()"))])
    }`,
  );
}
