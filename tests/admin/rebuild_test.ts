/** `storage rebuild` that is interrupted: what it has done is whole, and the next run completes it. */
import assert from "node:assert/strict";
import { sharedTemplate } from "../lab/template.ts";
import { admin } from "./support/run.ts";
import { makeMedia, plant } from "./support/tree.ts";
import { until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";

const template = sharedTemplate();

Deno.test("a rebuild that ends in the middle leaves nothing half done, and the next one completes it", async () => {
  await using world = await template().world();
  const root = world.root("hot");
  // More than go into one transaction.
  const planted = Array.from({ length: 1200 }, () => plant(root, makeMedia()));
  const last = planted.toSorted((a, b) => a.path < b.path ? -1 : 1).at(-1);
  assert.ok(last !== undefined);
  const database = ["--database", world.server.url(world.database)];
  const rebuild = ["storage", "rebuild", root, ...database];
  const count = async (from: string) =>
    Number((await world.query<{ n: string }>(`SELECT count(*) AS n FROM ${from}`))[0]?.n);

  await world.query(
    `CREATE FUNCTION omoide.fail() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'the disk is full'; END $$;
    CREATE TRIGGER fail BEFORE INSERT ON omoide.stored FOR EACH ROW
      WHEN (NEW.media_id = ${last.id}) EXECUTE FUNCTION omoide.fail()`,
  );
  const ended = await admin(rebuild);
  assert.equal(ended.code, 3, ended.stdout + ended.stderr);
  const receipts = await count("omoide.stored");
  assert.ok(receipts > 0 && receipts < 1200, String(receipts));
  // Each media that it has made has its receipt.
  assert.equal(await count("omoide.media"), receipts);
  assert.equal(
    await count("omoide.media m JOIN omoide.stored r ON r.media_id = m.id"),
    receipts,
  );

  await world.query("DROP TRIGGER fail ON omoide.stored; DROP FUNCTION omoide.fail()");
  const again = await admin(rebuild);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, new RegExp(`DONE: 1,200 files .*: ${1200 - receipts} receipts made`));
  const compared = await admin(["storage", "compare", root, ...database]);
  assert.equal(compared.code, 0, compared.stdout);
});

Deno.test("a database that was restored to an earlier timeline is one again after rebuild --restored", async () => {
  await using world = await template().world();
  const root = world.root("hot");
  await world.submitMany(new Random(1), 2);
  const [row] = await world.query<{ cluster: string }>(
    "SELECT system_identifier::text AS cluster FROM pg_control_system()",
  );
  // What its worker left when the database was two promotions further.
  for (const number of [2, 3]) {
    Deno.writeTextFileSync(`${root}/.omoide/timeline-${row?.cluster}-${number}`, "");
  }
  const verified = await admin(["storage", "verify", root]);
  assert.equal(verified.code, 0, verified.stdout);
  const check = await world.check("hot");
  assert.equal(check.code, 3, check.output);
  assert.match(check.output, /is an old primary, of timeline 1 .*rebuild --restored/);
  await using hot = world.start("hot");
  await hot.says(/waiting: .*is an old primary/);

  const rebuild = ["storage", "rebuild", root, "--database", world.server.url(world.database)];
  const plain = await admin(rebuild);
  assert.equal(plain.code, 0, plain.stderr);
  await hot.stop();
  const done = await admin([...rebuild, "--restored"]);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /forgotten: .*timeline 2, 3; start the worker again/);
  assert.match(
    Deno.readTextFileSync(`${root}/.omoide/record.jsonl`),
    /"action":"forget timelines".*"newer":\[2,3\]/,
  );
  await using _again = world.start("hot");
  await until("hot has stored", async () => await world.receipts("hot") === 2);
});
