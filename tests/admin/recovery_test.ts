/** Each recipe of docs/recovery.md, from the disaster to a verified state. */
import assert from "node:assert/strict";
import { Random } from "../faults/lab/random.ts";
import { sharedTemplate } from "../faults/lab/template.ts";
import type { World } from "../faults/lab/world.ts";
import { admin, type Ran } from "./support/run.ts";
import { flipBit } from "./support/tree.ts";

const template = sharedTemplate();

/** Runs a command that must end with this exit code. */
async function run(code: number, ...args: string[]): Promise<Ran> {
  const ran = await admin(args);
  assert.equal(ran.code, code, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran;
}

function database(world: World): string {
  return world.server.url(world.database);
}

/** What every recipe ends with: the storages are intact, the same, and as the receipts say. */
async function requireSafe(world: World): Promise<void> {
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  await Promise.all([
    run(0, "storage", "verify", hot),
    run(0, "storage", "verify", cold),
    run(0, "storage", "compare", hot, cold),
    run(0, "storage", "compare", hot, "--database", database(world)),
    run(0, "storage", "compare", cold, "--database", database(world)),
  ]);
  const status = await run(0, "inbox", "status", "--database", database(world));
  assert.match(status.stdout, /\nSAFE: /);
}

/** And that nothing which was ever submitted is lost. */
async function requireGood(world: World): Promise<void> {
  await requireSafe(world);
  await world.requireInvariants();
}

for (const [lost, other] of [["hot", "cold"], ["cold", "hot"]] as const) {
  Deno.test(`a lost disk of ${lost} is replaced and filled from ${other}, while uploads go on`, async () => {
    await using world = await template().world();
    const random = new Random(1);
    await world.submitMany(random, 25);
    await world.drainAll();
    // Acknowledged by the lost one alone, and by none: neither may leave before it has both again.
    await world.submitMany(random, 5);
    await world.drainOnce(lost);
    await Deno.remove(world.root(lost), { recursive: true });
    await world.submitMany(random, 5);

    const gone = await world.drainOnce(lost);
    assert.equal(gone.code, 4, gone.output);
    await Deno.mkdir(world.root(lost), { mode: 0o750 });
    const replace = ["storage", "replace", lost, world.root(lost), "--database", database(world)];
    assert.match((await run(0, ...replace)).stdout, /30 receipts of .* would be void, 10 media/);
    await run(0, ...replace, "--yes");
    await world.drainOnce(lost);
    await run(0, "storage", "sync", "--from", world.root(other), "--to", world.root(lost));
    await run(0, "storage", "rebuild", world.root(lost), "--database", database(world));
    await world.drainAll();
    await requireGood(world);
  });
}

Deno.test("a lost database is made again from the trees, and uploads go on with new ids", async () => {
  await using world = await template().world();
  const random = new Random(2);
  await world.submitMany(random, 25);
  await world.drainAll();
  const [before] = await world.query<{ id: string }>("SELECT max(id) AS id FROM omoide.media");
  const { inbox } = JSON.parse(
    await Deno.readTextFile(`${world.root("hot")}/.omoide/storage.json`),
  );
  await loseDatabase(world);

  await run(0, "inbox", "init", "--uuid", inbox, "--database", database(world));
  for (const name of ["hot", "cold"]) {
    await run(0, "storage", "init", name, world.root(name), "--database", database(world));
    await run(0, "storage", "rebuild", world.root(name), "--database", database(world));
  }
  const [first] = await world.submitMany(random, 5);
  assert.ok(first !== undefined && first.id > BigInt(before?.id ?? 0));
  await world.drainAll();
  await requireGood(world);
});

async function loseDatabase(world: World): Promise<void> {
  const { pg } = await import("../../src/inbox/pg.ts");
  const client = new pg.Client({ connectionString: world.server.url("postgres") });
  await client.connect();
  await client.query(`DROP DATABASE ${world.database} WITH (FORCE)`);
  await client.query(`CREATE DATABASE ${world.database}`);
  await client.end();
}

Deno.test("rotten files are found, replaced from the other storage, and kept aside", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(3), 30, () => 2000);
  await world.drainAll();
  const hot = world.root("hot");
  const paths = (await world.query<{ path: string }>(
    "SELECT path FROM omoide.receipt WHERE storage = 'hot' ORDER BY media_id LIMIT 7",
  )).map(({ path }) => path);
  for (const [i, path] of paths.entries()) flipBit(`${hot}/${path}`, i * 100);

  const verify = await run(8, "storage", "verify", hot);
  assert.match(verify.stdout, /HARM: 7 files of hot not intact/);
  const repair = ["storage", "repair", hot, "--from", world.root("cold")];
  assert.match((await run(0, ...repair, "--dry-run")).stdout, /7 names would be repaired/);
  await run(8, "storage", "verify", hot);
  await run(0, ...repair);
  assert.equal([...Deno.readDirSync(`${hot}/.omoide/aside`)].length, 7);
  await requireGood(world);
});

Deno.test("an owner's files that were deleted by accident come back from the other storage", async () => {
  await using world = await template().world();
  const random = new Random(4);
  const [media] = await world.submitMany(random, 30);
  await world.drainAll();
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  const owner = media?.ownerUuid ?? "";
  // The accident: a purge of the wrong owner, in one storage.
  const manifest = `${hot}.manifest`;
  const listed = await run(0, "storage", "manifest", hot, "--owner", owner);
  await Deno.writeTextFile(manifest, listed.stdout);
  const files = listed.stdout.trimEnd().split("\n").length - 2;
  assert.ok(files > 3 && files < 30);
  const purge = ["storage", "purge", hot, "--manifest", manifest, "--database", database(world)];
  await run(4, ...purge, "--yes");
  await run(0, ...purge, "--yes", "--count", String(files));
  await run(8, "storage", "compare", hot, cold);
  assert.match(
    (await run(8, "inbox", "status", "--database", database(world))).stdout,
    /in fewer than 2 trusted storages/,
  );

  await run(0, "storage", "sync", "--from", cold, "--to", hot, "--owner", owner);
  await run(0, "storage", "rebuild", hot, "--database", database(world));
  await requireGood(world);
});

Deno.test("an attacker who filled the inbox is limited, let through, and purged", async () => {
  await using world = await template().world();
  const random = new Random(5);
  await world.submitMany(random, 10);
  const limits = ["inbox", "limits", "--database", database(world)];
  await run(0, ...limits, "--max-inbox-bytes", "2M");
  const attacker = random.uuid();
  const application = await world.connect();
  await application.query("SET SESSION AUTHORIZATION omoide_app");
  const attack = () =>
    application.query("SELECT omoide.submit_media($1, $2, 'content', 'jpg', $3)", [
      attacker,
      random.uuid(),
      random.bytes(100_000),
    ]);
  await assert.rejects(async () => {
    for (;;) await attack();
  }, /the inbox is full/);
  await assert.rejects(() => world.submitMany(random, 1, () => 300_000), /the inbox is full/);

  const status = await run(8, "inbox", "status", "--database", database(world));
  assert.match(status.stdout, new RegExp(`today, ${attacker}: 1\\.\\d MiB`));
  assert.match(status.stdout, /the inbox is nearly full/);
  await run(0, ...limits, "--max-inbox-bytes", "5G", "--owner-bytes-per-day", "1M");
  await assert.rejects(attack, /is over its limit/);
  await world.submitMany(random, 3);
  await world.drainAll();
  for (const name of ["hot", "cold"]) {
    const root = world.root(name);
    const manifest = `${root}.manifest`;
    const listed = await run(0, "storage", "manifest", root, "--owner", attacker);
    await Deno.writeTextFile(manifest, listed.stdout);
    const files = listed.stdout.trimEnd().split("\n").length - 2;
    await run(
      0,
      ...["storage", "purge", root, "--manifest", manifest, "--database", database(world)],
      ...["--count", String(files), "--yes"],
    );
  }
  await application.end();
  await run(0, ...limits, "--owner-bytes-per-day", "50G");
  await requireSafe(world);
  for (const name of ["hot", "cold"]) assert.equal(await world.receipts(name), 13);
});
