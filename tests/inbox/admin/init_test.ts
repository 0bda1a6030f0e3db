import assert from "node:assert/strict";
import { ConfigurationError, DatabaseUnavailableError } from "../../../src/errors.ts";
import { type Connection, streamOf } from "../../../src/inbox/connect.ts";
import { asAdministrator } from "../../../src/inbox/admin/administrator.ts";
import { initInbox } from "../../../src/inbox/admin/init_inbox.ts";
import { registerStorage } from "../../../src/inbox/admin/register_storage.ts";
import { FUNCTIONS } from "../../../src/inbox/schema/functions.ts";
import { MIGRATIONS } from "../../../src/inbox/schema/migrations.ts";
import { SCHEMA_VERSION } from "../../../src/inbox/schema_version.ts";
import { SQLSTATE } from "../../../src/inbox/sqlstates.ts";
import { until } from "../../lab/command.ts";
import { startPostgres, VERSIONS } from "../../support/postgres.ts";
import {
  inboxTest,
  refused,
  rowsOf,
  serverTest,
  submit,
  untilItWaits,
  valueOf,
} from "../support/inbox_test.ts";

for (const version of VERSIONS) {
  Deno.test(`twenty inits at once make one inbox (PostgreSQL ${version})`, async () => {
    await using pg = await startPostgres({ version, fsync: false });
    const database = await pg.createDatabase();
    const connections = await Promise.all(Array.from({ length: 20 }, () => pg.connect(database)));
    const results = await Promise.all(connections.map((connection) => initInbox(connection)));
    assert.equal(new Set(results.map(({ inbox }) => inbox)).size, 1);
    assert.equal(results.filter(({ applied }) => applied.length > 0).length, 1);
    const [first] = connections;
    assert.ok(first !== undefined);
    const storage = { name: "hot", identity: crypto.randomUUID(), prefixSize: 2 };
    const registered = await Promise.all(connections.map((each) => registerStorage(each, storage)));
    assert.equal(registered.filter(({ created }) => created).length, 1);
    assert.equal(new Set(registered.map(({ storageId }) => storageId)).size, 1);
    for (const connection of connections) await connection.end();
  });

  Deno.test(`the roles of another inbox of the cluster are refused (PostgreSQL ${version})`, async () => {
    await using pg = await startPostgres({ version, fsync: false });
    const [one, two] = [await pg.createDatabase(), await pg.createDatabase()];
    const first = await pg.connect(one);
    await first.query("CREATE ROLE omoide_app LOGIN SUPERUSER");
    await assert.rejects(initInbox(first), (error: unknown) => {
      assert.ok(error instanceof ConfigurationError);
      assert.match(error.message, /omoide_app.*did not create it.*DROP ROLE omoide_app/s);
      return true;
    });
    assert.equal(await valueOf(first, "SELECT to_regnamespace('omoide') IS NULL"), true);
    await first.query("DROP ROLE omoide_app");
    const { warnings } = await initInbox(first);
    assert.deepEqual(warnings.length, 1);
    assert.match(warnings[0] ?? "", new RegExp(`database ${two}`));
    const second = await pg.connect(two);
    await assert.rejects(initInbox(second), /Cannot use the role omoide_owner.*one inbox/s);
    for (const connection of [first, second]) await connection.end();
  });

  Deno.test(`a server that allows prepared transactions is refused (PostgreSQL ${version})`, async () => {
    await using pg = await startPostgres({
      version,
      fsync: false,
      settings: { max_prepared_transactions: "5" },
    });
    const connection = await pg.connect(await pg.createDatabase());
    await assert.rejects(initInbox(connection), /max_prepared_transactions is 5/);
    await connection.end();
  });
}

inboxTest("init again changes nothing and leaves what is there", async (inbox) => {
  await submit(await inbox.as("app"));
  await inbox.admin.query("UPDATE omoide.settings SET min_copies = 3, max_inbox_bytes = 12345");
  const again = await initInbox(inbox.admin);
  assert.deepEqual([again.inbox, again.applied, again.schemaVersion], [
    inbox.inbox,
    [],
    SCHEMA_VERSION,
  ]);
  assert.deepEqual(
    await rowsOf(
      inbox.admin,
      "SELECT min_copies, max_inbox_bytes, (SELECT count(*) FROM omoide.media) AS media FROM omoide.settings",
    ),
    [{ min_copies: 3, max_inbox_bytes: "12345", media: "1" }],
  );
});

inboxTest("init puts right what was granted or taken by hand", async (inbox) => {
  await inbox.admin.query(
    "GRANT ALL ON ALL TABLES IN SCHEMA omoide TO omoide_app, omoide_hot, PUBLIC; " +
      "GRANT SELECT (bytes) ON omoide.media_chunk TO omoide_app; " +
      "GRANT ALL ON ALL FUNCTIONS IN SCHEMA omoide TO PUBLIC; " +
      "REVOKE ALL ON FUNCTION omoide.sweep(int, int[]) FROM omoide_hot; " +
      "GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC; " +
      `GRANT ALL ON DATABASE ${inbox.database} TO PUBLIC, omoide_app; ` +
      "ALTER ROLE omoide_app CREATEDB CREATEROLE CONNECTION LIMIT -1",
  );
  await initInbox(inbox.admin);
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  await refused(app, "42501", "SELECT * FROM omoide.media");
  await refused(app, "42501", "SELECT bytes FROM omoide.media_chunk");
  await refused(app, "42501", "SELECT * FROM omoide.pending(0, 1)");
  await refused(app, "42501", "SELECT lo_create(0)");
  await refused(app, "42501", "CREATE TEMP TABLE t (x int)");
  await refused(app, "42501", "CREATE DATABASE x");
  await hot.query("SELECT * FROM omoide.sweep()");
});

inboxTest("a role that was made a member of another is refused", async (inbox) => {
  await inbox.admin.query("CREATE ROLE strange; GRANT strange TO omoide_app");
  try {
    await assert.rejects(initInbox(inbox.admin), /omoide_app.*member of strange.*REVOKE/s);
  } finally {
    await inbox.admin.query("DROP ROLE strange");
  }
});

inboxTest("whoever is no superuser is told to be one", async (inbox) => {
  const app = await inbox.as("app");
  await assert.rejects(initInbox(app), (error: unknown) => {
    assert.ok(error instanceof ConfigurationError);
    assert.match(error.message, /as omoide_app.*superuser's URL/s);
    return true;
  });
});

inboxTest("a schema newer than this program is left alone", async (inbox) => {
  await inbox.admin.query("UPDATE omoide.settings SET schema_version = schema_version + 1");
  const refusal = new RegExp(
    `version ${SCHEMA_VERSION + 1}, this program ${SCHEMA_VERSION}; use the newer`,
  );
  await assert.rejects(initInbox(inbox.admin), refusal);
  const storage = { name: "third", identity: crypto.randomUUID(), prefixSize: 2 };
  await assert.rejects(registerStorage(inbox.admin, storage), refusal);
});

inboxTest("a schema from before the first release is left alone", async (inbox) => {
  await inbox.admin.query("UPDATE omoide.settings SET schema_version = 7");
  await assert.rejects(initInbox(inbox.admin), /version 7, which no release made/);
});

serverTest("a schema omoide that is something else is left alone", async (server) => {
  const connection = await server.connect(await server.createDatabase());
  await connection.query("CREATE SCHEMA omoide; CREATE TABLE omoide.mine (x int)");
  await assert.rejects(initInbox(connection), /something else/);
  await connection.query("SELECT * FROM omoide.mine");
  await connection.end();
});

serverTest("a database without an inbox takes no storage", async (server) => {
  const connection = await server.connect(await server.createDatabase());
  const storage = { name: "hot", identity: crypto.randomUUID(), prefixSize: 2 };
  await assert.rejects(registerStorage(connection, storage), /run `inbox init`/);
  await connection.end();
});

Deno.test("migrations are numbered from 8 without a gap, up to the version the worker knows", () => {
  assert.deepEqual(MIGRATIONS.map(({ version }) => version), MIGRATIONS.map((_, n) => n + 8));
  assert.equal(MIGRATIONS.at(-1)?.version, SCHEMA_VERSION);
});

Deno.test("every SQLSTATE that the SQL raises is known to the programs, and the reverse", () => {
  const raised = new Set(
    [...MIGRATIONS.map(({ sql }) => sql), ...Object.values(FUNCTIONS)]
      .flatMap((sql) => [...sql.matchAll(/ERRCODE = '(OM[0-9]{3})'/g)])
      .map((match) => match[1]),
  );
  assert.deepEqual([...raised].sort(), Object.values(SQLSTATE).sort());
});

inboxTest(
  "of a deadlock with a change of the inbox an administrator is told what to do",
  async (inbox) => {
    const other = await inbox.pg.connect(inbox.database);
    // So that it is the administrator's transaction that is given up.
    await other.query("SET deadlock_timeout = '1h'");
    await other.query("BEGIN; LOCK TABLE omoide.media");
    let waits: Promise<unknown> = Promise.resolve();
    await assert.rejects(
      asAdministrator(inbox.admin, async () => {
        await inbox.admin.query("LOCK TABLE omoide.stored");
        waits = other.query("LOCK TABLE omoide.stored");
        await inbox.admin.query("LOCK TABLE omoide.media");
      }),
      (error: unknown) =>
        error instanceof ConfigurationError && /Run this again/.test(error.message),
    );
    await waits;
    await other.end();
  },
);

inboxTest("a connection that ends under a change of the inbox is no bug", async (inbox) => {
  const ends: Readonly<Record<string, (connection: Connection) => unknown>> = {
    "by its server": async (connection) => {
      const pid = await valueOf(connection, "SELECT pg_backend_pid()");
      await inbox.admin.query("SELECT pg_terminate_backend($1)", [pid]);
    },
    "on its way": (connection) => streamOf(connection).destroy(),
  };
  for (const [how, end] of Object.entries(ends)) {
    const connection = await inbox.pg.connect(inbox.database);
    await assert.rejects(
      asAdministrator(connection, async () => {
        await end(connection);
        await connection.query("SELECT 1");
      }),
      DatabaseUnavailableError,
      how,
    );
  }
});

inboxTest("who logs in while a migration is being committed is ended after it", async (inbox) => {
  const { admin } = inbox;
  const last = MIGRATIONS.at(-1) as { sql: string };
  const { sql } = last;
  last.sql = "SELECT 1";
  try {
    // A commit that takes its time, as one does whose synchronous standby is behind.
    await admin.query(
      `UPDATE omoide.settings SET schema_version = schema_version - 1;
      DELETE FROM omoide.migration WHERE version > (SELECT schema_version FROM omoide.settings);
      CREATE FUNCTION omoide.slow_commit() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(1, 1); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON omoide.migration
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION omoide.slow_commit();
      SELECT pg_advisory_lock(1, 1)`,
    );
    const done = initInbox(await inbox.pg.connect(inbox.database));
    await untilItWaits(inbox, done);
    const app = await inbox.as("app");
    let isEnded = false;
    app.once("end", () => isEnded = true);
    await app.query("SELECT omoide.check_application($1)", [SCHEMA_VERSION - 1]);
    await admin.query("SELECT pg_advisory_unlock(1, 1)");
    await done;
    await until("the older program is ended", () => isEnded, 10_000);
  } finally {
    last.sql = sql;
  }
});
