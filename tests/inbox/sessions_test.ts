/**
 * What one session can do to the others, and to the database beside the tables: hold a snapshot, fill the
 * queue of notifications, read and end its neighbours, keep settings. None for longer than it is there.
 */
import assert from "node:assert/strict";
import { retryDeliveries } from "../../src/inbox/admin/deliveries.ts";
import type { AdminInbox } from "../../src/inbox/admin/inbox.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { makeInbox, startPostgres } from "../support/postgres.ts";
import { inboxTest, pendingIds, refused, rowsOf, submit, valueOf } from "./support/inbox_test.ts";

const DENIED = "42501";

/** Resolves when the server has ended this connection. */
function ended(connection: Connection): Promise<void> {
  return new Promise((resolve) => connection.once("end", () => resolve()));
}

for (const role of ["app", "monitor", "cold"]) {
  inboxTest(`a transaction that ${role} holds open is ended by evict`, async (inbox) => {
    const [other, hot] = [await inbox.as(role), await inbox.as("hot")];
    // Every timeout that a role can switch off by itself.
    await other.query(
      "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; " +
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1",
    );
    assert.equal(await valueOf(hot, "SELECT omoide.evict()"), 0);
    await inbox.admin.query("UPDATE omoide.settings SET max_transaction_age = '0'");
    const gone = ended(other);
    assert.equal(await valueOf(hot, "SELECT omoide.evict()"), 1);
    await gone;
  });
}

inboxTest("a superuser's transaction is not evict's business", async (inbox) => {
  const [backup, hot] = [await inbox.pg.connect(inbox.database), await inbox.as("hot")];
  await backup.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
  await inbox.admin.query("UPDATE omoide.settings SET max_transaction_age = '0'");
  assert.equal(await valueOf(hot, "SELECT omoide.evict()"), 0);
  await backup.query("COMMIT");
});

inboxTest("no role can hand its snapshot on to a younger transaction", async (inbox) => {
  for (const role of ["app", "monitor", "hot"]) {
    const connection = await inbox.as(role);
    await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await refused(connection, DENIED, "SELECT pg_export_snapshot()");
  }
});

inboxTest("no role sees another session's statements, nor ends it", async (inbox) => {
  const victim = await inbox.as("app");
  const pid = await valueOf(victim, "SELECT pg_backend_pid() /* secret */");
  for (const name of ["app", "monitor", "hot", "hot_scrub"]) {
    const role = await inbox.as(name);
    // The view alone: the function that it calls is refused as well.
    const isReadable = "SELECT has_table_privilege('pg_stat_activity', 'SELECT')";
    assert.equal(await valueOf(role, isReadable), false, name);
    for (
      const call of [
        "SELECT query FROM pg_stat_activity",
        "SELECT * FROM pg_stat_get_activity(NULL)",
        "SELECT pg_stat_get_backend_activity(n) FROM generate_series(1, 100) AS n",
        `SELECT pg_terminate_backend(${pid})`,
        `SELECT pg_cancel_backend(${pid})`,
      ]
    ) await refused(role, DENIED, call);
  }
  await victim.query("SELECT 1");
  // Whoever monitors or manages the server still can.
  await inbox.admin.query("CREATE ROLE watcher; GRANT pg_monitor, pg_signal_backend TO watcher");
  try {
    await inbox.admin.query("SET ROLE watcher");
    const seen = await rowsOf(
      inbox.admin,
      "SELECT FROM pg_stat_activity WHERE query LIKE '%secret%'",
    );
    assert.ok(seen.length > 0);
    const gone = ended(victim);
    await inbox.admin.query("SELECT pg_terminate_backend($1)", [pid]);
    await gone;
  } finally {
    await inbox.admin.query("RESET ROLE; DROP ROLE watcher");
  }
});

inboxTest(
  "what a role has set for itself in bulk is taken back at the next sweep",
  async (inbox) => {
    const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
    const held = () =>
      valueOf(
        inbox.admin,
        "SELECT coalesce(sum(length(s.setconfig::text)), 0)::int FROM pg_db_role_setting s " +
          "JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname LIKE 'omoide%'",
      );
    const usual = Number(await held());
    await app.query(`ALTER ROLE omoide_app SET application_name = '${"a".repeat(3_000_000)}'`);
    await app.query(`ALTER ROLE omoide_app IN DATABASE ${inbox.database} SET search_path = secret`);
    // As a string: of an identifier the server keeps 63 bytes.
    await hot.query(`ALTER ROLE omoide_hot SET search_path = '${"b".repeat(5000)}'`);
    assert.ok(Number(await held()) > 3_005_000);

    // Its own open transaction delays that, and neither fails nor holds up whoever sweeps.
    await app.query("BEGIN; ALTER ROLE omoide_app SET work_mem = '1MB'");
    await hot.query("SELECT * FROM omoide.sweep()");
    await app.query("COMMIT");
    await hot.query("SELECT * FROM omoide.sweep()");
    assert.ok(Number(await held()) < usual + 100, `${await held()} characters, usually ${usual}`);
    // What the role could not set by itself is as before.
    assert.equal(await valueOf(await inbox.as("app"), "SHOW temp_file_limit"), "64MB");
  },
);

for (const version of [15, 18] as const) {
  Deno.test(`a listener that lets notifications pile up is ended, and uploads go on (PostgreSQL ${version})`, async () => {
    await using pg = await startPostgres({
      version,
      fsync: false,
      // 8 MiB instead of 8 GiB. Older servers have no such setting: there only a part can be filled.
      settings: version === 18 ? { max_notify_queue_pages: "1000" } : {},
    });
    const inbox = await makeInbox(pg);
    const [listener, noisy, app, hot] = [
      await inbox.as("app"),
      await inbox.as("app"),
      await inbox.as("app"),
      await inbox.as("hot"),
    ];
    await listener.query("SET idle_in_transaction_session_timeout = 0; LISTEN anything");
    await listener.query("BEGIN; SELECT 1");
    const usage = async () => Number(await valueOf(hot, "SELECT pg_notification_queue_usage()"));
    const most = version === 18 ? 1 : 0.03;
    for (let n = 0; await usage() < most; n++) {
      try {
        await noisy.query(
          "SELECT pg_notify('x', n || repeat('x', 7900)) FROM generate_series(1, 1000) n",
        );
      } catch (error) {
        assert.match(String(error), /too many notifications/);
        break;
      }
      assert.ok(n < 1000, "the queue does not fill");
    }
    const id = await submit(app);
    assert.deepEqual(await pendingIds(hot), [id]);
    assert.equal(await retryDeliveries({ connection: inbox.admin } as AdminInbox, [id], null), 2);

    // 5 s from its transaction's start, though max_transaction_age is 5 minutes.
    await hot.query(
      "SELECT pg_sleep(extract(epoch FROM $1::timestamptz + interval '5.1 s' - clock_timestamp()))",
      [
        await valueOf(
          inbox.admin,
          "SELECT min(xact_start) FROM pg_stat_activity WHERE usename = 'omoide_app'",
        ),
      ],
    );
    const gone = ended(listener);
    assert.equal(await valueOf(hot, "SELECT evicted FROM omoide.sweep()"), 1);
    await gone;
    assert.ok(await usage() < 0.01, `${await usage()} of the queue is still used`);
    await noisy.query("NOTIFY x");
    for (const each of [noisy, app, hot, inbox.admin]) await each.end();
  });
}
