/** `storage verify --database` is a look at every byte, of which the inbox hears. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { scrubOnce } from "../scrub/support/scrub_process.ts";
import { admin, adminExits, databaseOf } from "./support/run.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });

async function open(world: World): Promise<string[]> {
  const rows = await world.query<{ kind: string; path: string }>(
    "SELECT kind, path FROM omoide.finding WHERE storage = 'hot' AND closed_at IS NULL",
  );
  return rows.map(({ kind, path }) => `${kind}: ${path}`).sort();
}

async function flip(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  await Deno.chmod(path, 0o640);
  await Deno.writeFile(path, bytes);
  await Deno.chmod(path, 0o440);
}

Deno.test("verify --database: what it finds is open until it finds it well, and SAFE says when it read", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(1), 3, () => 5000);
  await world.drainAll();
  const root = world.root("hot"), database = databaseOf(world);
  const verify = ["storage", "verify", root, ...database];
  const [{ object = "" } = {}] = await world.query<{ object: string }>(
    "SELECT format('.omoide/objects/%s/%s-%s', left(h, 2), h, media_id) AS object FROM (" +
      "SELECT encode(sha256, 'hex') AS h, media_id FROM omoide.receipt WHERE storage = 'hot') r LIMIT 1",
  );

  // A scrub's look is under way, and has found what verify will find well.
  await world.query(
    "INSERT INTO omoide.look (storage_id, depth, started_at, position, files, bytes) " +
      "SELECT id, 'deep', now() - interval '1 day', 'x', 1, 5000 FROM omoide.storage WHERE name = 'hot'",
  );
  await world.query(
    "INSERT INTO omoide.found (storage_id, kind, depth, path, detail, seen_at) " +
      "SELECT id, 'unreadable', 'deep', 'content/well.jpg', '', now() - interval '1 day' " +
      "FROM omoide.storage WHERE name = 'hot'",
  );
  await flip(join(root, object));
  await adminExits(8, ...verify);
  assert.deepEqual(await open(world), [`corrupt: ${object}`]);
  const status = await admin(["inbox", "status", ...database]);
  assert.equal(status.code, 8);
  assert.match(
    status.stdout,
    /! hot: 1 finding “corrupt”.*: `storage verify`, then `storage repair/,
  );

  await flip(join(root, object));
  await adminExits(0, ...verify);
  assert.deepEqual(await open(world), []);
  const safe = await admin(["inbox", "status", ...database]);
  assert.match(
    safe.stdout,
    /\nSAFE: .*Hot was not looked at yet and last read to its end \d+ s ago/,
  );
  const looks = await world.query(
    "SELECT started_at, position, finished_files::int AS files, finished_bytes::int AS bytes, " +
      "finished_findings::int AS findings FROM omoide.look",
  );
  assert.deepEqual(looks, [
    { started_at: null, position: null, files: 3, bytes: 15_000, findings: 0 },
  ]);
});

Deno.test("what only verify looks at stays open until it finds it well, whatever a scrub says", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(2), 3, () => 5000);
  await world.drainAll();
  const root = world.root("hot");
  const verify = ["storage", "verify", root, ...databaseOf(world)];
  const [{ path = "" } = {}] = await world.query<{ path: string }>(
    "SELECT path FROM omoide.receipt WHERE storage = 'hot' LIMIT 1",
  );
  const directory = path.slice(0, path.lastIndexOf("/"));
  await Deno.chmod(join(root, directory), 0o777);
  await Deno.writeTextFile(join(root, directory, "notes.txt"), "a note");
  await adminExits(8, ...verify);
  const both = [`unexpected: ${directory}`, `unexpected: ${directory}/notes.txt`];
  assert.deepEqual(await open(world), both);
  const [look] = await world.query("SELECT finished_findings::int AS findings FROM omoide.look");
  assert.deepEqual(look, { findings: 2 }, "this look's, whatever can find them well");

  assert.equal((await scrubOnce(world)).code, 8, "it sees the note, too");
  assert.deepEqual(await open(world), both);
  await Deno.remove(join(root, directory, "notes.txt"));
  assert.equal((await scrubOnce(world)).code, 0);
  assert.deepEqual(await open(world), [`unexpected: ${directory}`]);

  await Deno.writeTextFile(join(root, "notes.txt"), "another note");
  await adminExits(8, ...verify);
  await Deno.remove(join(root, "notes.txt"));
  await Deno.chmod(join(root, directory), 0o750);
  await adminExits(0, ...verify);
  assert.deepEqual(await open(world), [], "who never scrubs has them closed all the same");
});

Deno.test("a look at a part, or at another inbox's root, is not recorded", async () => {
  await using world = await template().world();
  const verify = ["storage", "verify", world.root("hot"), ...databaseOf(world)];
  await adminExits(2, ...verify, "--fraction", "0.5");
  await adminExits(2, ...verify, "--resume", `${world.root("hot")}.state`);
  await world.query("UPDATE omoide.settings SET inbox = gen_random_uuid()");
  await adminExits(4, ...verify);
  assert.deepEqual(await world.query("SELECT FROM omoide.look"), []);
});
