/** The recipes of the tools' README, run from that file: each from the disaster to a verified state. */
import assert from "node:assert/strict";
import { pg } from "../../src/inbox/pg.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate, Template } from "../lab/template.ts";
import { run as command } from "../lab/command.ts";
import { requireTools } from "../support/require_tool.ts";
import { EmbeddedPostgres } from "../../scripts/lib/embedded_postgres.ts";
import type { World } from "../lab/world.ts";
import { Recipes } from "./support/recipes.ts";
import { adminExits } from "./support/run.ts";
import { flipBit } from "./support/tree.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });
const recipes = new Recipes(new URL("../../src/admin/README.md", import.meta.url));

/** Runs a block as it stands there, but for the roots and the programs that a test has not. */
function follow(world: World, name: string, env: Record<string, string> = {}): Promise<string> {
  const directory = world.root("hot").replace(/\/hot$/, "");
  return recipes.follow(directory, name, { DATABASE: database(world), ...env });
}

function database(world: World): string {
  return world.server.url(world.database);
}

/** What every recipe ends with: the storages are intact, the same, and as the receipts say. */
async function requireSafe(world: World): Promise<void> {
  assert.match(await follow(world, "verified"), /\nSAFE: /);
  await adminExits(0, "storage", "verify", world.root("cold"));
  await adminExits(0, "storage", "compare", world.root("cold"), "--database", database(world));
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
    assert.match(await follow(world, `lost-${lost}`), /30 receipts of .* are void, 10 media/);
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
  await loseDatabase(world);
  await follow(world, "lost-database");
  const [first] = await world.submitMany(random, 5);
  assert.ok(first !== undefined && first.id > BigInt(before?.id ?? 0));
  await world.drainAll();
  await requireGood(world);
});

const PROGRAMS = "/usr/lib/postgresql/15/bin";
const needs = requireTools([`${PROGRAMS}/pg_dump`, `${PROGRAMS}/pg_restore`]);
// Left out here, it is not forgotten.
if (needs.ignore) recipes.leaveOut("restored-database");

Deno.test({
  ...needs,
  name: "a backup restored into a new cluster comes to a verified state, with what came after it",
  async fn() {
    await using old = await Template.make({ version: 15, fsync: true });
    await using world = await old.world();
    const random = new Random(7);
    await world.submitMany(random, 20);
    await world.drainOnce("hot");
    const directory = world.root("hot").replace(/\/hot$/, "");
    await command(
      `${PROGRAMS}/pg_dump`,
      ...["--format=custom", "--file", `${directory}/inbox.dump`, database(world)],
    );
    await world.drainAll();
    await world.submitMany(random, 5);
    await world.drainAll();

    await using cluster = await EmbeddedPostgres.start({ version: 15, auth: "scram-sha-256" });
    const postgres = new pg.Client({ connectionString: cluster.url("postgres") });
    await postgres.connect();
    await postgres.query(`CREATE DATABASE ${world.database}`);
    const restored = cluster.url(world.database);
    for (const name of ["hot", "cold"]) {
      await Deno.copyFile(old.passwordFile, `${directory}/${name}.password`);
    }

    // Before `inbox init`: everything is the superuser's, and the tools say so.
    const restore = ["--no-owner", "--no-privileges", "--exit-on-error", "--dbname", restored];
    await command(`${PROGRAMS}/pg_restore`, ...restore, `${directory}/inbox.dump`);
    const status = await adminExits(8, "inbox", "status", "--database", restored);
    assert.match(status.stdout, /another owner than omoide_owner.*inbox init/s);
    const init = await adminExits(
      ...[4, "storage", "init", "hot", world.root("hot"), "--database", restored] as const,
    );
    assert.match(init.stderr, /run `inbox init` first/);
    await postgres.query(`DROP DATABASE ${world.database}`);
    await postgres.query(`CREATE DATABASE ${world.database}`);
    await postgres.end();

    const env = { DATABASE: restored, PATH: `${PROGRAMS}:${Deno.env.get("PATH")}` };
    await follow(world, "restored-database", env);
    for (const name of ["hot", "cold"]) {
      const ran = await world.drainOnce(name, { port: cluster.port });
      assert.equal(ran.code, 0, ran.output);
    }
    assert.match(await follow(world, "verified", env), /\nSAFE: /);
    const receipts = new pg.Client({ connectionString: restored });
    await receipts.connect();
    const { rows } = await receipts.query(
      "SELECT storage, count(*)::int AS media FROM omoide.receipt GROUP BY storage ORDER BY storage",
    );
    assert.deepEqual(rows, [{ storage: "cold", media: 25 }, { storage: "hot", media: 25 }]);
    await receipts.end();
  },
});

async function loseDatabase(world: World): Promise<void> {
  const client = new pg.Client({ connectionString: world.server.url("postgres") });
  await client.connect();
  await client.query(`DROP DATABASE ${world.database} WITH (FORCE)`);
  await client.query(`CREATE DATABASE ${world.database}`);
  await client.end();
}

Deno.test("corrupt files are found, replaced from the other storage, and quarantined", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(3), 30, () => 2000);
  await world.drainAll();
  const hot = world.root("hot");
  const paths = (await world.query<{ path: string }>(
    "SELECT path FROM omoide.receipt WHERE storage = 'hot' ORDER BY media_id LIMIT 7",
  )).map(({ path }) => path);
  for (const [i, path] of paths.entries()) flipBit(`${hot}/${path}`, i * 100);

  const verify = await adminExits(8, "storage", "verify", hot);
  assert.match(verify.stdout, /HARM: 7 files of hot not intact/);
  await follow(world, "bit-rot");
  assert.equal([...Deno.readDirSync(`${hot}/.omoide/quarantine`)].length, 7);
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
  const listed = await adminExits(0, "storage", "manifest", hot, "--owner", owner);
  await Deno.writeTextFile(manifest, listed.stdout);
  const files = listed.stdout.trimEnd().split("\n").length - 2;
  assert.ok(files > 3 && files < 30);
  const purge = ["storage", "purge", hot, "--manifest", manifest, "--database", database(world)];
  await adminExits(4, ...purge, "--yes");
  await adminExits(0, ...purge, "--yes", "--count", String(files));
  await adminExits(8, "storage", "compare", hot, cold);
  assert.match(
    (await adminExits(8, "inbox", "status", "--database", database(world))).stdout,
    /in fewer than 2 trusted storages/,
  );

  await follow(world, "by-accident", { OWNER: owner });
  await requireGood(world);
});

Deno.test("an attacker who filled the inbox is limited, let through, and purged", async () => {
  await using world = await template().world();
  const random = new Random(5);
  await world.submitMany(random, 10);
  const limits = ["inbox", "limits", "--database", database(world)];
  await adminExits(0, ...limits, "--max-inbox-bytes", "2M");
  const attacker = random.uuid();
  const application = await world.connectApplication();
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

  const status = await follow(world, "attacker-limits");
  assert.match(status, new RegExp(`today, ${attacker}: 1\\.\\d MiB`));
  assert.match(status, /the inbox is nearly full/);
  await assert.rejects(attack, /is over its limit/);
  await world.submitMany(random, 3);
  await world.drainAll();
  await follow(world, "attacker-purge", { ATTACKER: attacker });
  await application.end();
  await requireSafe(world);
  for (const name of ["hot", "cold"]) assert.equal(await world.receipts(name), 13);
});

Deno.test("a distrusted storage is read, fixed from the inbox, and trusted again", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(6), 10, () => 1000);
  await world.drainOnce("hot");
  const rows = await world.query<{ path: string }>("SELECT path FROM omoide.receipt LIMIT 2");
  for (const { path } of rows) flipBit(`${world.root("hot")}/${path}`);
  await world.query(
    "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' WHERE name = 'hot'",
  );
  assert.equal((await world.drainOnce("hot")).code, 5);
  assert.match(await follow(world, "distrusted"), /2 media will be stored again[^]*TRUSTED: hot/);
  await world.drainAll();
  await requireGood(world);
});

Deno.test("every recipe of the chapter has been run", () => recipes.requireAll());
