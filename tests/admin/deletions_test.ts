/** What deletes from a storage: `storage sweep` and `storage purge`. */
import assert from "node:assert/strict";
import { until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { holdStorage } from "../../src/storage/admin/open_for_admin.ts";
import { admin, adminExits, databaseOf, type Ran } from "./support/run.ts";
import { auditLogOf, objectsOf } from "./support/tree.ts";

const template = sharedTemplate();

Deno.test("sweep removes what died attempts left, and nothing that anybody may need", async () => {
  await using world = await template().world();
  const [first, second, third] = await world.submitMany(new Random(2), 6);
  await world.drainAll();
  assert.ok(first && second && third);
  const owed = await world.submitMany(new Random(3), 1);
  const hot = world.root("hot");
  const old = new Date(Date.now() - 2 * 86400 * 1000);
  const leave = (sha256: string, id: string, time: Date) => {
    const path = `${hot}/.omoide/objects/${sha256.slice(0, 2)}/${sha256}-${id}`;
    Deno.writeTextFileSync(path, "x", { createNew: true });
    Deno.utimeSync(path, time, time);
    return path;
  };
  const died = leave(first.sha256, `${first.id}.2`, old);
  const young = leave(second.sha256, `${second.id}.2`, new Date());
  const wanted = leave(owed[0]?.sha256 ?? "", String(owed[0]?.id), old);
  const unknown = leave("ab".repeat(32), "999999", old);
  const probe = `${hot}/.omoide/probe/left`;
  Deno.writeTextFileSync(probe, "x");
  Deno.utimeSync(probe, old, old);
  // All there is of this media: somebody removed its public name.
  const [{ path } = { path: "" }] = await world.query<{ path: string }>(
    "SELECT path FROM omoide.receipt WHERE media_id = $1",
    [String(third.id)],
  );
  Deno.removeSync(`${hot}/${path}`);
  for (const name of objectsOf(hot).filter((name) => name.includes(third.sha256))) {
    Deno.utimeSync(`${hot}/.omoide/objects/${name}`, old, old);
  }
  const before = objectsOf(hot).length;

  const sweep = ["storage", "sweep", hot, ...databaseOf(world)];
  const dry = await adminExits(0, ...sweep);
  assert.match(dry.stdout, /2 orphans .* would be removed/);
  assert.match(dry.stdout, /kept: .* is of a media that is still owed/);
  assert.match(dry.stdout, /kept: .* may be all there is of/);
  assert.equal(objectsOf(hot).length, before);
  const done = await adminExits(0, ...sweep, "--yes");
  assert.match(done.stdout, /DONE: 2 orphans/);
  for (const gone of [died, probe]) assert.throws(() => Deno.statSync(gone), Deno.errors.NotFound);
  for (const kept of [young, wanted, unknown]) assert.ok(Deno.statSync(kept).isFile);
  assert.equal(objectsOf(hot).length, before - 1);
  assert.ok(auditLogOf(hot).some(({ action }) => action === "sweep"));
  // Without the database only probes, since a tree does not say who needs an object.
  assert.match((await adminExits(0, "storage", "sweep", hot, "--yes")).stdout, /DONE: 0 orphans/);
});

Deno.test("a purge that is not exactly meant does nothing", async () => {
  await using world = await template().world();
  const random = new Random(4);
  await world.submitMany(random, 12);
  await world.drainAll();
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  const before = objectsOf(hot).length;
  const all = (await adminExits(0, "storage", "manifest", hot)).stdout;
  const lines = all.trimEnd().split("\n");
  const file = `${hot}.manifest`;
  const purge = (text: string, ...args: string[]) => {
    Deno.writeTextFileSync(file, text);
    return admin([
      "storage",
      "purge",
      hot,
      "--manifest",
      file,
      ...databaseOf(world),
      "--yes",
      ...args,
    ]);
  };
  const one = lines.slice(0, 3).join("\n") + "\n";
  const refuse = (ran: Ran, code: number, message: RegExp) => {
    assert.equal(ran.code, code, ran.stdout + ran.stderr);
    assert.match(ran.stdout + ran.stderr, message);
    assert.equal(objectsOf(hot).length, before);
  };
  refuse(await purge(all), 4, /100 % of the storage; if you mean it, add --count 12/);
  refuse(await purge(all, "--count", "11"), 2, /--count 11 is not the number of files, 12/);
  refuse(await purge(one.replace("content", "*")), 2, /./);
  const foreign = (await adminExits(0, "storage", "manifest", cold)).stdout;
  refuse(await purge(foreign), 2, /is a manifest of cold/);
  const otherSize = one.replace(/^([0-9a-f]{64}\t)(\d+)/m, "$1999999");
  refuse(await purge(otherSize), 8, /NOTHING DONE: 1 entry not as the manifest says/);
  {
    using _worker = await holdStorage(hot);
    refuse(await purge(one), 3, /Another process holds the storage/);
  }
  const held = await world.connect();
  await held.query(
    "SELECT pg_advisory_lock(1869442921, id) FROM omoide.storage WHERE name = 'hot'",
  );
  refuse(await purge(one), 3, /A worker holds the storage hot/);
  await held.end();
  await world.query("INSERT INTO omoide.waiting SELECT id, size, 0 FROM omoide.media");
  refuse(await purge(one, "--count", "1"), 4, /still in the inbox/);
  await world.query("DELETE FROM omoide.waiting");

  // Its receipt goes first: held up there, or killed, no receipt says that a deleted file is there.
  const looker = await world.connect();
  await looker.query("BEGIN; SELECT FROM omoide.stored FOR UPDATE");
  const purging = purge(one);
  const waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND " +
    "wait_event_type = 'Lock' AND query LIKE 'DELETE FROM omoide.stored%'";
  await until("the purge waits", async () => (await world.query(waits)).length === 1);
  assert.equal(objectsOf(hot).length, before);
  await looker.query("COMMIT");
  await looker.end();

  const done = await purging;
  assert.equal(done.code, 0, done.stderr);
  assert.equal(objectsOf(hot).length, before - 1);
  assert.deepEqual(auditLogOf(hot).map(({ action }) => action), ["purge"]);
  await adminExits(0, "storage", "compare", hot, ...databaseOf(world));
  assert.match((await purge(one)).stdout, /0 files .* 1 more are gone already/);
});
