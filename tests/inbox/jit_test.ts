/**
 * No call to the inbox is compiled, on a server that compiles (Debian's default). Where the packaged
 * servers cannot, that is asked of the settings; on an installed one that can, of its log.
 */
import assert from "node:assert/strict";
import { lanesDue, takeLanes } from "../../src/inbox/lane_calls.ts";
import { InboxSession } from "../../src/inbox/session.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { acknowledge, pending, release, sweep } from "../../src/inbox/delivery_calls.ts";
import { takeStorage } from "../../src/inbox/storage_calls.ts";
import { makeInbox, startPostgres, type TestInbox } from "../support/postgres.ts";
import { requireTools } from "../support/require_tool.ts";
import { inboxTest, rowsOf, submit, valueOf } from "./support/inbox_test.ts";

const DEBIAN = "/usr/lib/postgresql/15/bin";

inboxTest(
  "whatever fixes how it finds its rows switches jit off, and so do the roles",
  async (inbox) => {
    const wrong = await rowsOf(
      inbox.admin,
      `SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = 'omoide'::regnamespace AND p.proconfig::text LIKE '%enable\\_%'
      AND NOT 'jit=off' = ANY (p.proconfig)`,
    );
    assert.deepEqual(wrong, []);
    await inbox.admin.query(`ALTER DATABASE ${inbox.database} SET jit = on`);
    for (const role of ["app", "monitor", "hot"]) {
      assert.equal(await valueOf(await inbox.as(role), "SHOW jit"), "off", role);
    }
  },
);

Deno.test({
  ...requireTools([`${DEBIAN}/postgres`, "/usr/lib/postgresql/15/lib/llvmjit.so"]),
  name: "a server with jit on compiles nothing that the inbox is asked (PostgreSQL 15 of Debian)",
  async fn() {
    await using pg = await startPostgres({
      version: 15,
      binaries: DEBIAN,
      fsync: false,
      settings: {
        jit: "on",
        session_preload_libraries: "auto_explain",
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_analyze": "on",
        "auto_explain.log_nested_statements": "on",
        // What auto_explain says is on this level, and the application's role logs only what is fatal.
        "auto_explain.log_level": "log",
      },
    });
    const inbox = await makeInbox(pg);
    assert.equal(await valueOf(inbox.admin, "SELECT pg_jit_available()"), true);
    await useAll(inbox);
    assert.match(pg.server.log, /Query Text: [^]*omoide\.stored/, "nothing was explained");
    assert.doesNotMatch(pg.server.log, /JIT:/);

    // And it would show.
    await inbox.admin.query(
      "ALTER FUNCTION omoide.release(bigint[]) RESET jit; ALTER ROLE omoide_hot SET jit = on",
    );
    const hot = await inbox.as("hot");
    await submit(await inbox.as("app"));
    await hot.query("SELECT omoide.release('{1}')");
    await hot.end();
    await inbox.admin.end();
    await pg.server.pause();
    assert.match(pg.server.log, /JIT:/);
  },
});

/** Everything that a worker asks, for one media. */
async function useAll(inbox: TestInbox): Promise<void> {
  const app = await inbox.as("app");
  const id = BigInt(await submit(app));
  await app.end();
  for (const name of ["hot", "cold"] as const) {
    const address = parseDatabaseUrl(inbox.pg.url(inbox.database, `omoide_${name}`), "");
    const session = await InboxSession.open(address, {});
    try {
      await takeStorage(session, name, inbox.identities[name]);
      const deliveries = await pending(session, 0n, 10);
      await session.query(session.control, "SELECT omoide.start_attempt($1, 1)", [[id]]);
      await session.query(session.control, "SELECT omoide.cancel_attempt($1, 1)", [[id]]);
      await takeLanes(session);
      await lanesDue(session);
      await session.query(session.control, "SELECT omoide.report_failure($1, 'x', false)", [id]);
      await acknowledge(
        session,
        deliveries.map(({ media }) => ({ media, outcome: "stored" as const, path: null })),
      );
      await release(session, [id]);
      await sweep(session);
    } finally {
      session.end(new Error("the test is over"));
    }
  }
}
