import assert from "node:assert/strict";
import { SCHEMA_VERSION } from "../../src/inbox/schema_version.ts";
import { EVERY_SERVER } from "../support/postgres.ts";
import {
  acknowledge,
  inboxTestOn,
  pendingIds,
  refused,
  release,
  rowsOf,
  submit,
  take,
  valueOf,
} from "./support/inbox_test.ts";

const inboxTest = inboxTestOn(EVERY_SERVER);

const DENIED = "42501";

inboxTest(
  "a worker's role reads its own chunks and writes through its functions only",
  async (inbox) => {
    const hot = await inbox.as("hot");
    for (const table of ["media", "media_chunk", "delivery", "stored", "worker", "settings"]) {
      await refused(hot, DENIED, `SELECT * FROM omoide.${table}`);
      await refused(hot, DENIED, `DELETE FROM omoide.${table}`);
    }
    for (const view of ["receipt", "owed", "worker_status", "releasable"]) {
      await refused(hot, DENIED, `SELECT * FROM omoide.${view}`);
    }
    await refused(hot, DENIED, "DELETE FROM omoide.my_chunk");
    await refused(hot, DENIED, "SELECT omoide.submit_media(NULL, NULL, NULL, NULL, NULL)");
    await refused(hot, DENIED, "SELECT omoide.tally_inbox(1, 1)");
    await refused(hot, DENIED, "CREATE TEMP TABLE t (x int)");
    await refused(hot, DENIED, "SELECT pg_advisory_lock(1869442921, 2)");
    await refused(hot, DENIED, "SELECT lo_create(0)");
    await refused(hot, DENIED, "SET ROLE omoide_cold");
    await refused(hot, DENIED, "ALTER ROLE omoide_cold SET search_path = evil");
  },
);

inboxTest("a worker cannot act for another storage", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const id = await submit(app);
  await refused(hot, "OM020", "SELECT * FROM omoide.take_storage($1, 'cold', $2)", [
    SCHEMA_VERSION,
    inbox.identities.cold,
  ]);
  assert.deepEqual(await acknowledge(hot, [id]), ["acknowledged"]);
  assert.deepEqual(await acknowledge(hot, [id]), ["repeated"]);
  assert.equal(await release(hot, [id]), 0);
  // Owed to cold only: hot can fail, park, begin or read nothing of it.
  assert.deepEqual(
    await rowsOf(hot, "SELECT * FROM omoide.report_failure($1, 'x', true)", [id]),
    [],
  );
  assert.deepEqual(await rowsOf(hot, "SELECT omoide.start_attempt(ARRAY[$1::int8], 1)", [id]), []);
  assert.deepEqual(await rowsOf(hot, "SELECT * FROM omoide.my_chunk"), []);
  assert.deepEqual(await pendingIds(hot), []);
  const life = await take(hot);
  await hot.query(
    "SELECT omoide.heartbeat($1, '1', now(), 'paused', 'full', 1, 2, 3, 4, 5, 6, NULL)",
    [life],
  );
  // Whose life that is, it cannot see; it is not cold's row in any case.
  await cold.query(
    "SELECT omoide.heartbeat($1, '1', now(), 'distrusted', 'a lie', 1, 2, 3, 4, 5, 6, NULL)",
    [life],
  );
  await hot.query("SELECT omoide.distrust('bad disk')");
  assert.deepEqual(
    await rowsOf(
      inbox.admin,
      "SELECT storage, state, distrusted_reason AS reason FROM omoide.worker_status ORDER BY storage",
    ),
    [
      { storage: "cold", state: "standby", reason: null },
      { storage: "hot", state: "paused", reason: "bad disk" },
    ],
  );
  assert.deepEqual(
    await rowsOf(inbox.admin, "SELECT storage, attempts, parked_at FROM omoide.owed"),
    [{ storage: "cold", attempts: 0, parked_at: null }],
  );
  assert.deepEqual(await pendingIds(cold), [id]);
});

inboxTest("a worker that lies about holding everything releases nothing", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const ids = [await submit(app), await submit(app), await submit(app)];
  await acknowledge(hot, ids);
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.equal(await release(hot, ids), 0);
    await hot.query("SELECT * FROM omoide.sweep()");
  }
  assert.equal(await valueOf(inbox.admin, "SELECT count(*) FROM omoide.media_chunk"), "3");
});

inboxTest(
  "what is parked, or owed to another storage, is not in a worker's view",
  async (inbox) => {
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const [first, second] = [await submit(app), await submit(app)];
    await hot.query("SELECT * FROM omoide.report_failure($1, 'bad bytes', true)", [first]);
    const seen = "SELECT array_agg(media_id ORDER BY media_id) FROM omoide.my_chunk";
    assert.deepEqual(await valueOf(hot, seen), [second]);
    assert.deepEqual(await valueOf(cold, seen), [first, second]);
    const app2 = await inbox.as("app");
    await refused(app2, DENIED, seen);
    assert.deepEqual(await rowsOf(inbox.admin, "SELECT * FROM omoide.my_chunk"), []);
  },
);

inboxTest(
  "the view of chunks does not show its rows to a function of the reader's",
  async (inbox) => {
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const id = await submit(app, "a secret");
    await acknowledge(hot, [id], "a secret");
    await inbox.admin.query(
      "CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO omoide_hot; " +
        "GRANT USAGE ON LANGUAGE plpgsql TO omoide_hot",
    );
    await hot.query(
      "CREATE FUNCTION evil.leak(bytea) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS " +
        "$$ BEGIN RAISE EXCEPTION 'leaked %', $1; END $$",
    );
    assert.deepEqual(await rowsOf(hot, "SELECT * FROM omoide.my_chunk WHERE evil.leak(bytes)"), []);
    assert.deepEqual((await rowsOf(cold, "SELECT * FROM omoide.my_chunk")).length, 1);
  },
);

inboxTest("the monitor reads states and counts, and neither bytes nor names", async (inbox) => {
  const monitor = await inbox.as("monitor");
  for (
    const view of [
      ...["owed", "worker_status", "inbox_status", "usage_today", "settings", "storage_status"],
      ...["copies", "parked", "durability"],
    ]
  ) {
    await monitor.query(`SELECT * FROM omoide.${view}`);
  }
  for (
    const table of ["media", "media_chunk", "my_chunk", "receipt", "delivery", "stored", "storage"]
  ) {
    await refused(monitor, DENIED, `SELECT * FROM omoide.${table}`);
  }
  await refused(monitor, DENIED, "SELECT * FROM omoide.sweep()");
  await refused(monitor, DENIED, "UPDATE omoide.settings SET min_copies = 3");
});

inboxTest("storages' roles are bounded in connections and temporary files", async (inbox) => {
  assert.deepEqual(
    await rowsOf(
      inbox.admin,
      "SELECT rolname, rolcanlogin, rolconnlimit FROM pg_roles WHERE rolname LIKE 'omoide%' " +
        "AND rolname NOT LIKE '%third%' ORDER BY rolname",
    ),
    [
      { rolname: "omoide_app", rolcanlogin: true, rolconnlimit: 60 },
      { rolname: "omoide_cold", rolcanlogin: true, rolconnlimit: 12 },
      { rolname: "omoide_cold_scrub", rolcanlogin: true, rolconnlimit: 3 },
      { rolname: "omoide_hot", rolcanlogin: true, rolconnlimit: 12 },
      { rolname: "omoide_hot_scrub", rolcanlogin: true, rolconnlimit: 3 },
      { rolname: "omoide_monitor", rolcanlogin: true, rolconnlimit: 5 },
      { rolname: "omoide_owner", rolcanlogin: false, rolconnlimit: 0 },
    ],
  );
  const hot = await inbox.as("hot");
  await refused(hot, DENIED, "SET temp_file_limit = -1");
});
