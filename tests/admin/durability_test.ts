/** A database that does not keep what it commits: until a worker has a media, the inbox is its only copy. */
import assert from "node:assert/strict";
import { initInbox } from "../../src/inbox/admin/init_inbox.ts";
import { ASK_DURABILITY, type Durability, judgeDurability } from "../../src/inbox/durability.ts";
import { until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { makeInbox, startPostgres, VERSIONS } from "../support/postgres.ts";
import { admin, adminJson } from "./support/run.ts";

const template = sharedTemplate({
  fsync: false,
  settings: { full_page_writes: "off", synchronous_commit: "off" },
});

Deno.test("SAFE is not said from a database that a power cut destroys, and everyone who asks hears why", async (t) => {
  await using world = await template().world();
  await world.submitMany(new Random(1), 3);
  await world.drainAll();
  const database = ["--database", world.server.url(world.database)];
  await t.step("inbox status", async () => {
    const { code, stdout } = await admin(["inbox", "status", ...database]);
    assert.equal(code, 8, stdout);
    assert.match(
      stdout,
      /^! the database does not keep what it commits: fsync is off.*fsync = on/m,
    );
    assert.match(stdout, /^! .*full_page_writes is off/m);
    assert.match(stdout, /^ {2}note: synchronous_commit is off/m);
    assert.doesNotMatch(stdout, /^SAFE/m);
    const { result } = await adminJson<{ verdict: string }>(["inbox", "status", ...database]);
    assert.equal(result.verdict, "attention");
  });
  await t.step("inbox init", async () => {
    const { code, stdout } = await admin(["inbox", "init", ...database]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^WARNING: the database does not keep what it commits: fsync is off/m);
    assert.match(stdout, /^Note: synchronous_commit is off/m);
  });
  await t.step("--check, whose worker runs all the same", async () => {
    const { code, output } = await world.check("hot");
    assert.equal(code, 0, output);
    assert.match(output, /^WARN {2}database: the database does not keep what it commits: fsync/m);
    assert.match(output, /^note {2}database: synchronous_commit is off/m);
  });
  await t.step("a worker's log, once and not again with each session", async () => {
    await using worker = world.start("hot");
    const served = () => worker.output.split("serving ").length - 1;
    await worker.says(/full_page_writes is off/);
    await world.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'omoide_hot'",
    );
    // Said after the warnings of its session.
    await until("it has warned again, or not", () => served() >= 2);
    assert.equal((await worker.stop()).code, 0, worker.output);
    for (const setting of ["fsync", "full_page_writes"]) {
      const lines = worker.output.split("\n").filter((line) => line.includes(`${setting} is off`));
      assert.equal(lines.length, 1, worker.output);
      assert.match(lines[0] ?? "", /WARN.* the database does not keep what it commits/i);
    }
  });
});

for (const version of VERSIONS) {
  Deno.test(`each setting with which a crash takes what was committed is seen (PostgreSQL ${version})`, async () => {
    const settings = { data_sync_retry: "on" };
    await using pg = await startPostgres({ version, settings });
    const inbox = await makeInbox(pg);
    const ask = async (role?: string): Promise<Durability> => {
      const connection = await pg.connect(inbox.database, role);
      try {
        const { rows: [row] } = await connection.query<Durability>(ASK_DURABILITY);
        assert.ok(row !== undefined);
        return row;
      } finally {
        await connection.end();
      }
    };
    const asked = await ask();
    assert.deepEqual(asked, {
      fsync: true,
      full_page_writes: true,
      data_sync_retry: true,
      zero_damaged_pages: false,
      synchronous_commit: true,
      data_checksums: version >= 18,
      unlogged: [],
      awaits_standby: false,
    });
    assert.deepEqual(judgeDurability({ ...asked, data_sync_retry: false }).broken, []);
    assert.match(judgeDurability(asked).broken.join(), /data_sync_retry is on/);

    await inbox.admin.query(
      `ALTER DATABASE ${inbox.database} SET synchronous_commit = off;
      ALTER DATABASE ${inbox.database} SET zero_damaged_pages = on;
      ALTER TABLE omoide.stored SET UNLOGGED`,
    );
    for (const role of [undefined, "omoide_monitor", "omoide_hot"]) {
      const found = await ask(role);
      assert.equal(found.synchronous_commit, false, role ?? "superuser");
      assert.equal(found.zero_damaged_pages, true, role ?? "superuser");
      assert.deepEqual(found.unlogged, ["stored"], role ?? "superuser");
      assert.equal(judgeDurability(found).broken.length, 3);
    }
    const { durability } = await initInbox(await pg.connect(inbox.database));
    assert.match(durability.broken.join(), /tables stored: they are unlogged/);
    assert.match(durability.notes.join(), /synchronous_commit is off/);
  });
}
