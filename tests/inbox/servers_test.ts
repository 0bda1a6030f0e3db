/** Several servers in one address: which is used, when another one is, and what is said if none can be. */
import assert from "node:assert/strict";
import { ConfigurationError, DatabaseUnavailableError } from "../../src/errors.ts";
import { openInbox } from "../../src/inbox/admin/inbox.ts";
import { ApplicationPool } from "../../src/inbox/application/pool.ts";
import { connect } from "../../src/inbox/connect.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { ScrubSession } from "../../src/inbox/scrub_session.ts";
import { InboxSession } from "../../src/inbox/session.ts";
import { StatusSession } from "../../src/inbox/status/status_session.ts";
import { FaultyProxy } from "../lab/proxy.ts";
import { until } from "../lab/command.ts";
import type { EmbeddedPostgres } from "../../scripts/lib/embedded_postgres.ts";
import {
  makeInbox,
  startPostgres,
  type TestInbox,
  type TestPostgres,
} from "../support/postgres.ts";
import { startStandby } from "../support/standby.ts";
import { freePort } from "../../scripts/lib/free_port.ts";
import { valueOf } from "./support/inbox_test.ts";

/** A primary with an inbox, and its standby. Tests promote neither. */
let primary: TestPostgres, standby: EmbeddedPostgres, inbox: TestInbox;

Deno.test.beforeAll(async () => {
  primary = await startPostgres({ version: 15, fsync: false });
  inbox = await makeInbox(primary);
  await inbox.admin.end();
  standby = await startStandby(primary.server);
});
Deno.test.afterAll(async () => {
  await standby.stop();
  await primary.stop();
});

/** An address of these ports, in this order. */
function urlOf(ports: readonly number[], user = "omoide_hot", parameters = ""): string {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(",");
  return `postgres://${user}@${hosts}/${inbox.database}${parameters}`;
}

const addressOf = (ports: readonly number[], user?: string) =>
  parseDatabaseUrl(urlOf(ports, user), "");

Deno.test("every program passes over a server that is away and a standby", async () => {
  const ports = [freePort(), standby.port, primary.port];
  const worker = await InboxSession.open(addressOf(ports), {});
  for (
    const each of [
      worker.control,
      worker.reading.connection,
      worker.acknowledging,
      worker.releasing,
    ]
  ) assert.equal(await valueOf(each, "SELECT current_setting('port')::int"), primary.port);
  worker.end(new Error("the test is over"));

  using _scrub = await ScrubSession.open(addressOf(ports, "omoide_hot_scrub"), {});
  using monitor = await StatusSession.open(addressOf(ports, "omoide_monitor"), {});
  assert.equal((await monitor.status()).storages.length, 2);
  await using application = new ApplicationPool(addressOf(ports, "omoide_app"), {}, 2);
  await application.check();
  await using admin = await openInbox(urlOf(ports, "postgres"));
  assert.equal(await valueOf(admin.connection, "SELECT pg_is_in_recovery()"), false);
});

Deno.test("a program that only reads takes a standby if it is told that any server will do", async () => {
  const address = parseDatabaseUrl(
    urlOf([standby.port, primary.port], "omoide_monitor", "?target_session_attrs=any"),
    "",
    "any",
  );
  const connection = await connect(address, {}, "test");
  assert.equal(await valueOf(connection, "SELECT pg_is_in_recovery()"), true);
  await connection.end();
});

Deno.test("the server that was good the last time is tried first, and the others if it has gone", async () => {
  await using first = FaultyProxy.before(standby.port);
  await using second = FaultyProxy.before(primary.port);
  await using third = FaultyProxy.before(primary.port);
  const address = addressOf([first.port, second.port, third.port]);
  const open = async () => (await connect(address, {}, "test")).end();
  const accepted = () => [first, second, third].map((proxy) => proxy.accepted);
  await open();
  assert.deepEqual(accepted(), [1, 1, 0]);
  await open();
  assert.deepEqual(accepted(), [1, 2, 0]);
  second.goAway();
  await open();
  await open();
  assert.deepEqual(accepted(), [2, 2, 2]);
});

Deno.test("a server that answers nothing is left after two seconds", async () => {
  await using silent = FaultyProxy.before(primary.port);
  silent.freeze();
  const connection = await connect(addressOf([silent.port, primary.port]), {}, "test");
  assert.equal(silent.accepted, 1);
  await connection.end();
});

Deno.test("a server that its administrator has set read-only is passed over, and a role's own wish is not asked", async () => {
  await using fenced = await startPostgres({
    version: 15,
    fsync: false,
    settings: { default_transaction_read_only: "on" },
  });
  const name = inbox.database;
  const admin = await fenced.connect("postgres");
  for (const text of [`CREATE DATABASE ${name}`, "CREATE ROLE omoide_hot LOGIN"]) {
    await admin.query("SET default_transaction_read_only = off");
    await admin.query(text);
  }
  const opened = await connect(addressOf([fenced.port, primary.port]), {}, "test");
  assert.equal(await valueOf(opened, "SELECT current_setting('port')::int"), primary.port);
  await opened.end();
  await assert.rejects(
    connect(addressOf([fenced.port]), {}, "test"),
    (error) =>
      error instanceof DatabaseUnavailableError &&
      /is set read-only .*in its configuration/.test(error.message),
  );
  const wishing = await primary.connect(name);
  await wishing.query("ALTER ROLE omoide_hot SET default_transaction_read_only = on");
  await (await connect(addressOf([standby.port, primary.port]), {}, "test")).end();
  await wishing.query("ALTER ROLE omoide_hot RESET default_transaction_read_only");
});

Deno.test("if no server will do, each says why: waiting helps unless all of them refuse", async () => {
  const away = freePort();
  await assert.rejects(connect(addressOf([standby.port, away]), {}, "test"), (error) => {
    assert.ok(error instanceof DatabaseUnavailableError);
    assert.match(
      error.message,
      /None of 2 servers can be used: \(1\) .*is a standby.*\(2\) Cannot reach/,
    );
    return true;
  });
  const strange = (ports: number[]) => connect(addressOf(ports, "nobody_here"), {}, "test");
  await assert.rejects(strange([standby.port, primary.port]), ConfigurationError);
  await assert.rejects(strange([away, primary.port]), DatabaseUnavailableError);
});

Deno.test("after one connection of the application's was lost, no other of that server's is used", async () => {
  await using proxy = FaultyProxy.before(primary.port);
  const address = addressOf([standby.port, proxy.port], "omoide_app");
  await using pool = new ApplicationPool(address, {}, 3);
  const sleep = (seconds: number) => pool.call("SELECT pg_sleep($1)", [seconds]);
  await Promise.all([sleep(0.2), sleep(0.2), sleep(0.2)]);
  assert.equal(proxy.accepted, 3);
  const lost = assert.rejects(sleep(600), DatabaseUnavailableError);
  const admin = await primary.connect(inbox.database);
  await until("it is ended", async () =>
    await valueOf(
      admin,
      "SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity " +
        "WHERE state = 'active' AND usename = 'omoide_app'",
    ) === 1);
  await lost;
  await sleep(0);
  assert.equal(proxy.accepted, 4);
});
