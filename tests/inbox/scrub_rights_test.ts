/** What the role of a scrub may do: ask for its storage's receipts, report, and nothing else. */
import assert from "node:assert/strict";
import { SCHEMA_VERSION } from "../../src/inbox/schema_version.ts";
import { EVERY_SERVER } from "../support/postgres.ts";
import {
  acknowledge,
  inboxTestOn,
  refused,
  release,
  rowsOf,
  submit,
  valueOf,
} from "./support/inbox_test.ts";

const inboxTest = inboxTestOn(EVERY_SERVER);
const DENIED = "42501";

inboxTest("a scrub's role reads no table and no view, and changes none", async (inbox) => {
  const scrub = await inbox.as("hot_scrub");
  await submit(await inbox.as("app"), "a secret");
  const relations = await rowsOf<{ name: string }>(
    inbox.admin,
    "SELECT relname AS name FROM pg_class WHERE relnamespace = 'omoide'::regnamespace " +
      "AND relkind IN ('r', 'p', 'v', 'S')",
  );
  assert.ok(relations.length > 20);
  for (const { name } of relations) {
    await refused(scrub, DENIED, `SELECT * FROM omoide.${name}`);
    await refused(scrub, DENIED, `COPY omoide.${name} TO STDOUT`);
  }
  for (const table of ["media", "media_chunk", "stored", "delivery", "found", "look", "settings"]) {
    await refused(scrub, DENIED, `DELETE FROM omoide.${table}`);
    await refused(scrub, DENIED, `TRUNCATE omoide.${table}`);
    await refused(scrub, DENIED, `INSERT INTO omoide.${table} DEFAULT VALUES`);
  }
});

inboxTest("a scrub's role calls its own functions and no other", async (inbox) => {
  const scrub = await inbox.as("hot_scrub");
  const callable = await rowsOf<{ name: string }>(
    scrub,
    "SELECT proname AS name FROM pg_proc WHERE pronamespace = 'omoide'::regnamespace " +
      "AND has_function_privilege(oid, 'EXECUTE') ORDER BY 1",
  );
  assert.deepEqual(callable.map(({ name }) => name), [
    "advance_look",
    "begin_look",
    "close_findings",
    "finish_look",
    "open_findings",
    "report_findings",
    "scrub_known",
    "scrub_receipts",
    "scrub_state",
    "take_scrub",
  ]);
  const id = await submit(await inbox.as("app"));
  await assert.rejects(
    acknowledge(scrub, [id], "a picture", inbox.identities.hot),
    /permission denied/,
  );
  await assert.rejects(release(scrub, [id]), /permission denied/);
  for (
    const call of [
      "submit_media(gen_random_uuid(), gen_random_uuid(), 'content', 'jpg', 'x')",
      "distrust('a lie')",
      "sweep()",
      "recycle(true)",
      `report_failure(${id}, 'a lie', true)`,
      "keep_findings(2::smallint, 'deep', '{}', '{}', '{}', '{}')",
      "end_look(2::smallint, 'deep', 0, 0)",
      "evict()",
    ]
  ) {
    await refused(scrub, DENIED, `SELECT omoide.${call}`);
  }
  for (
    const statement of [
      "CREATE TEMP TABLE t (x int)",
      "SELECT pg_advisory_lock(1, 1)",
      "SELECT lo_create(0)",
      "SET ROLE omoide_hot",
      "SET ROLE omoide_owner",
      "DO $$ BEGIN END $$",
      "CREATE TABLE public.t (x int)",
      "SELECT pg_read_file('/etc/passwd')",
      "COPY (SELECT 1) TO PROGRAM 'true'",
    ]
  ) {
    await refused(scrub, DENIED, statement);
  }
});

inboxTest(
  "a scrub reports of its own storage, and sees and closes no other's findings",
  async (inbox) => {
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const [ours, theirs] = [await inbox.as("hot_scrub"), await inbox.as("cold_scrub")];
    const [one, two] = [await submit(app), await submit(app)];
    await acknowledge(hot, [one]);
    await acknowledge(cold, [two]);
    const take = "SELECT * FROM omoide.take_scrub($1, $2, $3)";
    await refused(ours, "OM020", take, [SCHEMA_VERSION, "cold", inbox.identities.cold]);
    await refused(ours, "OM021", take, [SCHEMA_VERSION, "hot", inbox.identities.cold]);
    await ours.query(take, [SCHEMA_VERSION, "hot", inbox.identities.hot]);
    await theirs.query(take, [SCHEMA_VERSION, "cold", inbox.identities.cold]);

    const receipts = "SELECT media_id FROM omoide.scrub_receipts(0, 10)";
    assert.deepEqual(await rowsOf(ours, receipts), [{ media_id: one }]);
    assert.deepEqual(await rowsOf(theirs, receipts), [{ media_id: two }]);

    const report =
      "SELECT omoide.report_findings('shallow', ARRAY['missing'], ARRAY[$1], ARRAY['x'], ARRAY[$2::int8])";
    await theirs.query("SELECT omoide.begin_look('shallow')");
    assert.equal(await valueOf(theirs, report, ["content/b.jpg", two]), "1");
    assert.equal(
      await valueOf(ours, report, ["content/b.jpg", two]),
      "0",
      "it has no such receipt",
    );
    const [{ id = "" } = {}] = await rowsOf<{ id: string }>(
      inbox.admin,
      "SELECT id FROM omoide.found",
    );
    assert.deepEqual(
      await rowsOf(ours, "SELECT * FROM omoide.open_findings('shallow', 0, 10)"),
      [],
    );
    await ours.query("SELECT omoide.close_findings(ARRAY[$1::int8])", [id]);
    await ours.query("SELECT omoide.begin_look('shallow')");
    await ours.query("SELECT omoide.finish_look('shallow', 1, 0)");
    assert.deepEqual(
      await rowsOf(inbox.admin, "SELECT storage, closed_at FROM omoide.finding"),
      [{ storage: "cold", closed_at: null }],
    );
    assert.deepEqual(
      await rowsOf(
        inbox.admin,
        "SELECT storage FROM omoide.look_status WHERE finished_at IS NOT NULL",
      ),
      [{ storage: "hot" }],
    );
  },
);

inboxTest("a scrub that reports without end fills nothing", async (inbox) => {
  const scrub = await inbox.as("hot_scrub");
  await scrub.query("SELECT * FROM omoide.take_scrub($1, 'hot', $2)", [
    SCHEMA_VERSION,
    inbox.identities.hot,
  ]);
  await refused(
    scrub,
    "23514",
    "SELECT omoide.report_findings('deep', ARRAY['nonsense'], ARRAY['x'], ARRAY['x'], ARRAY[NULL::int8])",
  );
  for (let from = 0; from < 11_000; from += 1000) {
    await scrub.query(
      "SELECT omoide.report_findings('deep', array_fill('corrupt'::text, ARRAY[1000]), " +
        "array(SELECT n || repeat('é', $2) FROM generate_series($1::int, $1 + 999) n), " +
        "array_fill(repeat('é', $2), ARRAY[1000]), array_fill(NULL::int8, ARRAY[1000]))",
      [from, from === 0 ? 1200 : 1],
    );
  }
  const [found] = await rowsOf<{ rows: number; longest: number }>(
    inbox.admin,
    "SELECT count(*)::int AS rows, max(octet_length(path) + octet_length(detail)) AS longest " +
      "FROM omoide.found",
  );
  assert.ok(
    found !== undefined && found.rows === 10_000 && found.longest > 2500 && found.longest <= 3000,
    JSON.stringify(found),
  );
  await refused(
    scrub,
    "23514",
    "SELECT omoide.advance_look('deep', repeat('x', 2000), 1, 1) FROM omoide.begin_look('deep')",
  );
});
