/** Functions and views: one per file, listed, applied as the files have them. */
import assert from "node:assert/strict";
import { staleViews } from "../../../src/inbox/admin/definitions.ts";
import { initInbox } from "../../../src/inbox/admin/init_inbox.ts";
import { FUNCTIONS } from "../../../src/inbox/schema/functions.ts";
import { MIGRATIONS } from "../../../src/inbox/schema/migrations.ts";
import { VIEWS } from "../../../src/inbox/schema/views.ts";
import { inboxTest, pendingIds, rowsOf, submit, valueOf } from "../support/inbox_test.ts";

const SCHEMA = new URL("../../../src/inbox/schema/", import.meta.url);

for (
  const [folder, kind, listed] of [
    ["functions", "FUNCTION", FUNCTIONS],
    ["views", "VIEW", VIEWS],
  ] as const
) {
  Deno.test(`each file of ${folder}/ is listed and defines what it is named for, and nothing else`, async () => {
    const files = new Map<string, string>();
    for await (const { name } of Deno.readDir(new URL(`${folder}/`, SCHEMA))) {
      const text = await Deno.readTextFile(new URL(`${folder}/${name}`, SCHEMA));
      files.set(name.replace(/\.sql$/, ""), text);
    }
    assert.deepEqual(Object.entries(listed).sort(), [...files].sort());
    for (const [name, sql] of files) {
      const made = [...sql.matchAll(/\bCREATE\b.*/g)].map(([line]) => line);
      assert.equal(made.length, 1, `${name}: ${made.join("; ")}`);
      assert.match(made[0] ?? "", new RegExp(`^CREATE OR REPLACE ${kind} omoide\\.${name}\\b`));
    }
  });
}

Deno.test("no migration makes a function or a view, but for the triggers' that are replaced", () => {
  const made = MIGRATIONS.flatMap(({ sql }) => [
    ...sql.matchAll(/CREATE (?:OR REPLACE )?(?:FUNCTION|VIEW|PROCEDURE) ([\w.]+)/g),
  ]).map((match) => match[1]);
  assert.deepEqual(made, [
    "omoide.refuse_unsealed",
    ...["omoide.note_deliveries", "omoide.note_receipts", "omoide.note_media"],
  ]);
});

inboxTest("the database has the files' functions and views, and no others", async ({ admin }) => {
  const bodies = Object.fromEntries(
    (await rowsOf<{ name: string; body: string }>(
      admin,
      "SELECT proname AS name, prosrc AS body FROM pg_proc WHERE pronamespace = 'omoide'::regnamespace",
    )).map(({ name, body }) => [name, body]),
  );
  const expected = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, sql]) => [name, sql.split("$$")[1]]),
  );
  assert.deepEqual(bodies, expected);
  const views = await rowsOf<{ name: string }>(
    admin,
    "SELECT viewname AS name FROM pg_views WHERE schemaname = 'omoide' ORDER BY viewname",
  );
  assert.deepEqual(views.map(({ name }) => name), Object.keys(VIEWS).sort());
  assert.deepEqual(await staleViews(admin), []);
});

inboxTest(
  "every function's body is valid, though init applies them unchecked",
  async ({ admin }) => {
    const { rowCount } = await admin.query(
      `SELECT CASE l.lanname WHEN 'plpgsql' THEN plpgsql_validator(p.oid)
      WHEN 'sql' THEN fmgr_sql_validator(p.oid) END
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace = 'omoide'::regnamespace AND l.lanname IN ('plpgsql', 'sql')`,
    );
    assert.equal(rowCount, Object.keys(FUNCTIONS).length);
  },
);

inboxTest("init puts functions and views right that were changed by hand", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  await inbox.admin.query(
    "CREATE OR REPLACE FUNCTION omoide.pending(p_after bigint, p_limit int, p_lanes int DEFAULT 1, " +
      "p_mine int[] DEFAULT '{0}') RETURNS TABLE (" +
      "media_id bigint, owner_uuid uuid, item_uuid uuid, media_type text, ext text, public_name text, " +
      "size bigint, sha256 bytea, attempts int, generation int) LANGUAGE sql BEGIN ATOMIC " +
      "SELECT 1::bigint, null::uuid, null::uuid, '', '', '', 1::bigint, ''::bytea, 1, 0 WHERE false; END; " +
      "CREATE OR REPLACE VIEW omoide.my_chunk AS SELECT c.media_id, c.seq, c.bytes, c.generation " +
      "FROM omoide.media_chunk c; " +
      "DROP VIEW omoide.owed; DROP FUNCTION omoide.evict",
  );
  await initInbox(inbox.admin);
  const id = await submit(app);
  assert.deepEqual(await pendingIds(hot), [id]);
  await hot.query("SELECT * FROM omoide.sweep()");
  assert.deepEqual(await staleViews(inbox.admin), []);
  assert.equal(
    await valueOf(await inbox.as("monitor"), "SELECT count(*)::int FROM omoide.owed"),
    2,
  );
});

inboxTest("init waits for no COPY that is under way", async (inbox) => {
  const hot = await inbox.as("hot");
  await submit(await inbox.as("app"));
  await hot.query("BEGIN; SELECT count(*) FROM omoide.my_chunk");
  // Waiting would end after a minute, with an error.
  await initInbox(inbox.admin);
  await hot.query("COMMIT");
});
