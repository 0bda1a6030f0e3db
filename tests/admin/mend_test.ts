import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { holdStorage } from "../../src/storage/admin/open_for_admin.ts";
import { admin, type Ran } from "./support/run.ts";
import { flipBit } from "./support/tree.ts";

const template = sharedTemplate();

function database(world: World): string[] {
  return ["--database", world.server.url(world.database)];
}

async function run(code: number, ...args: string[]): Promise<Ran> {
  const ran = await admin(args);
  assert.equal(ran.code, code, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran;
}

function records(root: string): { action: string }[] {
  return Deno.readTextFileSync(`${root}/.omoide/record.jsonl`).trimEnd().split("\n")
    .map((line) => JSON.parse(line));
}

/** Names in the objects' directories. */
function objects(root: string): string[] {
  return [...Deno.readDirSync(`${root}/.omoide/objects`)].flatMap(({ name }) =>
    [...Deno.readDirSync(`${root}/.omoide/objects/${name}`)].map((entry) => `${name}/${entry.name}`)
  );
}

Deno.test("a storage is trusted again only when everything it stored is right", async () => {
  await using world = await template().world();
  const random = new Random(1);
  await world.submitMany(random, 8);
  await world.drainAll();
  await world.submitMany(random, 4);
  await world.drainOnce("hot");
  const hot = world.root("hot");
  const [released, waiting] = (await world.query<{ path: string }>(
    "SELECT path FROM omoide.receipt WHERE storage = 'hot' AND media_id IN (3, 11) ORDER BY media_id",
  )).map(({ path }) => path);
  await world.query(
    "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' WHERE name = 'hot'",
  );
  assert.equal((await world.drainOnce("hot")).code, 5);
  flipBit(`${hot}/${released}`);
  flipBit(`${hot}/${waiting}`);

  const trust = ["storage", "trust", "hot", "--root", hot, ...database(world)];
  assert.match((await run(4, ...trust)).stderr, /Fix its disk and remount it.*--remounted/);
  const still = await run(8, ...trust, "--remounted");
  assert.match(
    still.stdout,
    /STILL DISTRUSTED: 2 files of hot not as the receipts say, 12 files read/,
  );
  // What is waiting only this storage has, beside the inbox.
  const repair = await run(6, "storage", "repair", hot, "--from", world.root("cold"));
  assert.match(repair.stdout, /INCOMPLETE: 1 name of hot repaired, 1 not/);
  const trusted = await run(0, ...trust, "--remounted", "--redeliver");
  assert.match(trusted.stdout, /1 media will be stored again/);
  await world.drainAll();
  await run(0, "storage", "verify", hot);
  await run(0, "storage", "compare", hot, world.root("cold"));
  await run(0, "inbox", "status", ...database(world));
  assert.ok(records(hot).some(({ action }) => action === "trust"));
  await world.requireInvariants();
  await run(0, ...trust);
});

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
  for (const name of objects(hot).filter((name) => name.includes(third.sha256))) {
    Deno.utimeSync(`${hot}/.omoide/objects/${name}`, old, old);
  }
  const before = objects(hot).length;

  const sweep = ["storage", "sweep", hot, ...database(world)];
  const dry = await run(0, ...sweep);
  assert.match(dry.stdout, /2 orphans .* would be removed/);
  assert.match(dry.stdout, /kept: .* is of a media that is still owed/);
  assert.match(dry.stdout, /kept: .* may be all there is of/);
  assert.equal(objects(hot).length, before);
  const done = await run(0, ...sweep, "--yes");
  assert.match(done.stdout, /DONE: 2 orphans/);
  for (const gone of [died, probe]) assert.throws(() => Deno.statSync(gone), Deno.errors.NotFound);
  for (const kept of [young, wanted, unknown]) assert.ok(Deno.statSync(kept).isFile);
  assert.equal(objects(hot).length, before - 1);
  assert.ok(records(hot).some(({ action }) => action === "sweep"));
  // Without the database only probes, since a tree does not say who needs an object.
  assert.match((await run(0, "storage", "sweep", hot, "--yes")).stdout, /DONE: 0 orphans/);
});

Deno.test("a purge that is not exactly meant does nothing", async () => {
  await using world = await template().world();
  const random = new Random(4);
  await world.submitMany(random, 12);
  await world.drainAll();
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  const before = objects(hot).length;
  const all = (await run(0, "storage", "manifest", hot)).stdout;
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
      ...database(world),
      "--yes",
      ...args,
    ]);
  };
  const one = lines.slice(0, 3).join("\n") + "\n";
  const refuse = (ran: Ran, code: number, message: RegExp) => {
    assert.equal(ran.code, code, ran.stdout + ran.stderr);
    assert.match(ran.stdout + ran.stderr, message);
    assert.equal(objects(hot).length, before);
  };
  refuse(await purge(all), 4, /100 % of the storage; if you mean it, add --count 12/);
  refuse(await purge(all, "--count", "11"), 2, /--count 11 is not the number of files, 12/);
  refuse(await purge(one.replace("content", "*")), 2, /./);
  const foreign = (await run(0, "storage", "manifest", cold)).stdout;
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
  await world.query("UPDATE omoide.media SET released_at = NULL");
  refuse(await purge(one, "--count", "1"), 4, /still in the inbox/);
  await world.query("UPDATE omoide.media SET released_at = now()");

  const done = await purge(one);
  assert.equal(done.code, 0, done.stderr);
  assert.equal(objects(hot).length, before - 1);
  assert.deepEqual(records(hot).map(({ action }) => action), ["purge"]);
  await run(0, "storage", "compare", hot, ...database(world));
  assert.match((await purge(one)).stdout, /0 files .* 1 more are gone already/);
});

Deno.test("an existing tree becomes a storage without a byte copied, and a stopped run goes on", async () => {
  await using world = await template().world();
  const root = `${world.root("hot")}-old`;
  const random = new Random(6);
  const files = Array.from({ length: 40 }, (_, i) => {
    const item = random.uuid(), owner = random.uuid();
    const type = ["content", "preview", "thumbnail"][i % 3];
    return {
      path: `${type}/${owner}/${item.slice(0, 2)}/${item}.JPG`,
      bytes: random.bytes(500 + i),
    };
  });
  for (const { path, bytes } of files) {
    Deno.mkdirSync(`${root}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    Deno.writeFileSync(`${root}/${path}`, bytes, { mode: 0o644 });
  }
  const stray = `${files[0]?.path.slice(0, files[0]?.path.lastIndexOf("/"))}/notes.txt`;
  Deno.writeTextFileSync(`${root}/${stray}`, "mine");
  const inodes = files.map(({ path }) => Deno.lstatSync(`${root}/${path}`).ino);
  const adopt = ["storage", "adopt", root, ...database(world)];
  try {
    await run(2, ...adopt);
    const ran = await run(6, ...adopt, "--name", "old");
    assert.match(ran.stdout, new RegExp(`left: ${stray} `));
    assert.match(
      ran.stdout,
      /INCOMPLETE: 40 files .* adopted by old, 0 were before, 40 receipts made/,
    );
    assert.deepEqual(files.map(({ path }) => Deno.lstatSync(`${root}/${path}`).ino), inodes);
    Deno.removeSync(`${root}/${stray}`);
    // As a run leaves it that was killed between an object and its receipt, and before an object.
    await world.query(
      "DELETE FROM omoide.stored WHERE media_id IN (SELECT max(id) FROM omoide.media)",
    );
    for (const name of objects(root).slice(0, 5)) {
      Deno.removeSync(`${root}/.omoide/objects/${name}`);
    }
    assert.match(
      (await run(0, ...adopt)).stdout,
      /DONE: 5 files .*, 35 were before, 1 receipt made/,
    );
    await run(0, "storage", "verify", root);
    await run(0, "storage", "compare", root, ...database(world));
    const receipts = await world.query("SELECT FROM omoide.receipt WHERE storage = 'old'");
    assert.equal(receipts.length, 40);

    // The backup of the same installation: the same media.
    const backup = `${root}-backup`;
    for (const { path, bytes } of files) {
      Deno.mkdirSync(`${backup}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      Deno.writeFileSync(`${backup}/${path}`, bytes);
    }
    await run(0, "storage", "adopt", backup, "--name", "older", ...database(world));
    await run(0, "storage", "compare", root, backup);
    const [media] = await world.query<{ n: string }>("SELECT count(*) AS n FROM omoide.media");
    assert.equal(media?.n, "40");
  } finally {
    for (const role of ["omoide_old", "omoide_older"]) {
      await world.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`).catch(() => {});
    }
  }
});

Deno.test("ids that come again after an older database was restored confuse nobody", async () => {
  await using world = await template().world();
  const random = new Random(7);
  await world.submitMany(random, 5);
  await world.drainAll();
  // The restored backup knows none of them, and gives their ids to others.
  await world.query("TRUNCATE omoide.media, omoide.stored, omoide.delivery RESTART IDENTITY");
  const fresh = await world.submitMany(random, 5);
  assert.equal(fresh[0]?.id, 1n);
  await world.drainAll();
  for (const name of ["hot", "cold"]) {
    await run(0, "storage", "rebuild", world.root(name), ...database(world));
    await run(0, "storage", "verify", world.root(name));
    await run(0, "storage", "compare", world.root(name), ...database(world));
    assert.equal(await world.receipts(name), 10);
  }
  const [row] = await world.query<{ n: string }>("SELECT count(*) AS n FROM omoide.media");
  assert.equal(row?.n, "10");
});

Deno.test("a repair of what only the good storage knows makes its object again", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(8), 6);
  await world.drainAll();
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  const rows = await world.query<{ path: string; id: string; sha: string }>(
    "SELECT path, media_id AS id, encode(sha256, 'hex') AS sha FROM omoide.receipt " +
      "WHERE storage = 'hot' AND media_id <= 2 ORDER BY media_id",
  );
  for (const [i, { path, id, sha }] of rows.entries()) {
    Deno.removeSync(`${hot}/.omoide/objects/${sha.slice(0, 2)}/${sha}-${id}`);
    if (i === 1) flipBit(`${hot}/${path}`);
  }
  await run(8, "storage", "verify", hot);
  await run(0, "storage", "repair", hot, "--from", cold);
  await run(0, "storage", "verify", hot);
  await run(0, "storage", "compare", hot, cold);
  await world.requireInvariants();
  const report = `${hot}.report`;
  Deno.writeTextFileSync(report, JSON.stringify({ uuid: randomUUID(), findings: [] }));
  await run(2, "storage", "repair", hot, "--from", cold, "--report", report);
});

Deno.test("verify and sync beside working workers tell nothing false and lose nothing", async () => {
  await using world = await template().world();
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  await using _hot = world.start("hot");
  await using _cold = world.start("cold");
  const random = new Random(9);
  let storing = true;
  const submitting = world.submitMany(random, 200).finally(() => storing = false);
  let verified = 0;
  while (storing) {
    await run(0, "storage", "verify", hot);
    const sync = await admin(["storage", "sync", "--from", hot, "--to", cold]);
    assert.equal(sync.code, 0, sync.stdout + sync.stderr);
    verified++;
  }
  assert.ok(verified > 0);
  await submitting;
  await world.drained();
  await run(0, "storage", "verify", hot);
  await run(0, "storage", "verify", cold);
  await run(0, "storage", "compare", hot, cold);
  await run(0, "storage", "compare", cold, ...database(world));
  await world.requireInvariants();
});
