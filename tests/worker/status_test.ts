/** What the inbox knows of a worker, and when: the state is what an administrator goes by. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { run, until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();
const IDLE = ["--poll-interval", "3600"];
/** The lock of `take_storage`. */
const LOCK = "1869442921, (SELECT id::int FROM omoide.storage WHERE name = 'hot')";

/** The same storage at another place: free for a second worker on this machine. */
async function copyOf(world: World, storage: string): Promise<string> {
  const copy = `${world.root(storage)}-copy`;
  await run("cp", "--archive", world.root(storage), copy);
  return copy;
}

async function standbySeen(world: World): Promise<boolean> {
  const [row] = await world.query<{ seen: boolean }>(
    "SELECT standby_seen_at IS NOT NULL AS seen FROM omoide.worker_status WHERE storage = 'hot'",
  );
  return row?.seen ?? false;
}

Deno.test("a worker that stands by shows itself, and leaves the state of the one that works", async () => {
  await using world = await template().world();
  await using _first = world.start("hot", { args: IDLE });
  await world.becomes("hot", "idle");
  await using second = world.start("hot", { root: await copyOf(world, "hot") });
  await second.says(/standing by/);
  await until("the one that stands by is seen", () => standbySeen(world));
  assert.deepEqual(await world.state("hot"), { state: "idle", reason: null });
});

Deno.test("a worker with another storage's root leaves the state of the one that works", async () => {
  await using world = await template().world();
  await using _first = world.start("hot", { args: IDLE });
  await world.becomes("hot", "idle");
  const root = await copyOf(world, "hot");
  const path = join(root, ".omoide/storage.json");
  const identity = JSON.parse(await Deno.readTextFile(path)) as Record<string, unknown>;
  await Deno.remove(path);
  await Deno.writeTextFile(path, JSON.stringify({ ...identity, uuid: crypto.randomUUID() }));
  const { code, output } = await world.drainOnce("hot", { root });
  assert.equal(code, 4, output);
  assert.deepEqual(await world.state("hot"), { state: "idle", reason: null });
});

Deno.test("a death while storing is remembered while the dead worker's lock lives on", async () => {
  await using world = await template().world();
  const random = new Random(1);
  await world.submitMany(random, 3);
  // A machine that died: its worker's state and lock are there, until the server notices.
  const dead = await world.connect();
  await dead.query(`SELECT pg_advisory_lock(${LOCK})`);
  await dead.query(
    "INSERT INTO omoide.worker (storage_id, state) SELECT id, 'storing' FROM omoide.storage " +
      "WHERE name = 'hot'",
  );
  await using next = world.start("hot");
  await next.says(/standing by/);
  await until("it has reported that", () => standbySeen(world));
  await dead.end();
  await next.says(/died while it was storing: its media go one at a time/);
});

Deno.test("a worker that ends reports why, not that its disk is slow", async () => {
  await using world = await template().world();
  await using worker = world.start("hot", { args: IDLE });
  await world.becomes("hot", "idle");
  await Deno.rename(
    join(world.root("hot"), ".omoide/storage.json"),
    join(world.root("hot"), ".omoide/moved.json"),
  );
  await world.submitMany(new Random(2), 1);
  const { code } = await worker.ended;
  assert.equal(code, 4, worker.output);
  const { state, reason } = await world.state("hot");
  assert.equal(state, "stopped");
  assert.match(reason ?? "", /storage\.json does not exist any more/);
});

Deno.test("uploads that never pause do not keep the inbox from being swept", async () => {
  await using world = await template().world();
  // Empty media need no chunks, so many are made in one statement.
  const backlog = 20_000;
  await world.query(
    `WITH made AS (
       INSERT INTO omoide.media (owner_uuid, item_uuid, media_type, ext, size, sha256,
         has_plain_name, holds_name, sealed_at)
       SELECT 'aaaaaaaa-0000-4000-8000-000000000000', i.item, 'content', 'jpg', 0, sha256(''),
         true, true, now()
       FROM (SELECT gen_random_uuid() AS item FROM generate_series(1, ${backlog})) i RETURNING id
     ), waiting AS (
       INSERT INTO omoide.waiting SELECT id, 0, 0 FROM made
     )
     INSERT INTO omoide.delivery (storage_id, media_id, size)
     SELECT s.id, made.id, 0 FROM omoide.storage s, made`,
  );
  await world.query("UPDATE omoide.settings SET max_transaction_age = '0'");
  await using _worker = world.start("hot", { args: ["--poll-interval", "1"] });
  await until("it stores", async () => await world.receipts("hot") > 0);
  const held = await world.connectApplication();
  await held.query("BEGIN; SELECT omoide.find_media(gen_random_uuid(), gen_random_uuid())");
  await new Promise((ended) => held.once("end", ended));
  assert.ok(await world.receipts("hot") < backlog);
});
