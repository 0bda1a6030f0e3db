/** A database's, a role's and the server's own settings change nothing for the programs. */
import assert from "node:assert/strict";
import { DatabaseUnavailableError } from "../../src/errors.ts";
import { initInbox } from "../../src/inbox/admin/init_inbox.ts";
import { openInbox } from "../../src/inbox/admin/inbox.ts";
import { inboxStatus } from "../../src/inbox/status/ask_status.ts";
import { listStorages } from "../../src/inbox/admin/storages.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { InboxSession } from "../../src/inbox/session.ts";
import { acknowledge, pending, sweep } from "../../src/inbox/delivery_calls.ts";
import { takeStorage } from "../../src/inbox/storage_calls.ts";
import type { TestInbox } from "../support/postgres.ts";
import { inboxTest, rowsOf, submit } from "./support/inbox_test.ts";

/** What somebody has set for the database, or a role for itself, and what sessions must have. */
const SETTINGS: Readonly<Record<string, readonly [hostile: string, ours: string]>> = {
  DateStyle: ["German, DMY", "ISO, MDY"],
  TimeZone: ["Asia/Kathmandu", "UTC"],
  IntervalStyle: ["sql_standard", "postgres"],
  extra_float_digits: ["-15", "1"],
  statement_timeout: ["200ms", "0"],
  lock_timeout: ["200ms", "0"],
  idle_session_timeout: ["10min", "0"],
  idle_in_transaction_session_timeout: ["10min", "0"],
  search_path: ["public", "pg_catalog, pg_temp"],
  default_transaction_isolation: ["serializable", "read committed"],
  default_transaction_read_only: ["on", "off"],
  bytea_output: ["escape", "hex"],
  array_nulls: ["off", "on"],
  standard_conforming_strings: ["off", "on"],
  quote_all_identifiers: ["on", "off"],
  synchronous_commit: ["off", "on"],
  jit: ["on", "off"],
  tcp_keepalives_idle: ["7200", "10"],
};

async function setAll({ admin, database }: TestInbox): Promise<void> {
  // `SET name = 'a, b'` is one value for a list.
  const sets = Object.entries(SETTINGS).map(([name, [value]]) =>
    `ALTER DATABASE ${database} SET ${name} = ${name === "search_path" ? value : `'${value}'`}; ` +
    `ALTER ROLE omoide_hot IN DATABASE ${database} SET ${name} = ${
      name === "search_path" ? value : `'${value}'`
    }`
  );
  await admin.query(sets.join("; "));
}

async function settingsOf(connection: Connection): Promise<Record<string, string>> {
  const rows = await rowsOf<{ name: string; value: string }>(
    connection,
    "SELECT n AS name, current_setting(n) AS value FROM unnest($1::text[]) AS n",
    [Object.keys(SETTINGS)],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

const OURS = Object.fromEntries(Object.entries(SETTINGS).map(([name, [, ours]]) => [name, ours]));

inboxTest("every connection has the settings that the programs rely on", async (inbox) => {
  await setAll(inbox);
  const theirs = await settingsOf(await inbox.as("hot"));
  for (const [name, ours] of Object.entries(OURS)) {
    assert.notEqual(theirs[name], ours, `${name} is not hostile, so this shows nothing`);
  }
  await using admin = await openInbox(inbox.pg.url(inbox.database));
  assert.deepEqual(await settingsOf(admin.connection), OURS);
  const address = parseDatabaseUrl(inbox.pg.url(inbox.database, "omoide_hot"), "");
  const session = await InboxSession.open(address, {});
  try {
    const { control, reading, acknowledging, releasing } = session;
    for (const each of [control, reading.connection, acknowledging, releasing]) {
      assert.deepEqual(await settingsOf(each), OURS);
    }
  } finally {
    session.end(new Error("the test is over"));
  }
});

inboxTest("worker and administrator work as ever under hostile settings", async (inbox) => {
  const id = BigInt(await submit(await inbox.as("app")));
  await inbox.admin.query("UPDATE omoide.storage SET retired_at = now() WHERE name = 'cold'");
  await setAll(inbox);
  const address = parseDatabaseUrl(inbox.pg.url(inbox.database, "omoide_hot"), "");
  const session = await InboxSession.open(address, {});
  try {
    await takeStorage(session, "hot", inbox.identities.hot);
    const [delivery] = await pending(session, 0n, 10);
    assert.ok(delivery !== undefined);
    assert.equal(delivery.media.id, id);
    const stored = { media: delivery.media, outcome: "stored", path: null } as const;
    assert.deepEqual(await acknowledge(session, [stored]), []);
    await sweep(session);
  } finally {
    session.end(new Error("the test is over"));
  }
  await using admin = await openInbox(inbox.pg.url(inbox.database));
  const [hot, cold] = await listStorages(admin);
  assert.equal(hot?.retiredAt, null);
  assert.ok(cold?.retiredAt instanceof Date);
  assert.ok(Math.abs(cold.retiredAt.getTime() - Date.now()) < 3_600_000, String(cold.retiredAt));
  const status = await inboxStatus(admin.connection);
  assert.equal(status.storages[0]?.held, 1);
  await initInbox(admin.connection);
});

inboxTest(
  "an answer that came while this process was held up counts, however late it looks",
  async (inbox) => {
    const address = parseDatabaseUrl(inbox.pg.url(inbox.database, "omoide_hot"), "");
    const session = await InboxSession.open(address, {});
    try {
      const answer = session.query(session.control, "SELECT 1 AS one", [], 50);
      // As a machine that was suspended, or a call that hung: the timer is due long before the answer is read.
      const until = performance.now() + 1_500;
      while (performance.now() < until);
      assert.deepEqual(await answer, [{ one: 1 }]);
      assert.ok(!session.ended.aborted);
      await assert.rejects(
        session.query(session.control, "SELECT pg_sleep(60)", [], 50),
        DatabaseUnavailableError,
      );
    } finally {
      session.end(new Error("the test is over"));
    }
  },
);
