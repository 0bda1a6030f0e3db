import assert from "node:assert/strict";
import { pg } from "../../src/inbox/pg.ts";
import { initInbox } from "../../src/inbox/admin/init_inbox.ts";
import { SCHEMA_VERSION } from "../../src/inbox/schema_version.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { EVERY_SERVER, IDENTITIES, type TestInbox } from "../support/postgres.ts";
import { inboxTestOn, refused, rowsOf, sha256, submit, valueOf } from "./support/inbox_test.ts";

const inboxTest = inboxTestOn(EVERY_SERVER);

const DENIED = "42501";
const ACKNOWLEDGE =
  `SELECT * FROM omoide.acknowledge('${IDENTITIES.hot}', ARRAY[$1::int8], ARRAY[$2::bytea], '{9}', '{stored}', '{NULL}')`;
const UUID = "00000000-0000-4000-8000-0000000000aa";

inboxTest(
  "the application may execute its own functions and nothing else of the inbox",
  async (inbox) => {
    const rows = await rowsOf<{ name: string }>(
      inbox.admin,
      "SELECT p.proname AS name FROM pg_proc p WHERE p.pronamespace = 'omoide'::regnamespace " +
        "AND has_function_privilege('omoide_app', p.oid, 'EXECUTE') ORDER BY 1",
    );
    assert.deepEqual(rows.map(({ name }) => name), [
      "append_chunk",
      "append_upload",
      "cancel_upload",
      "check_application",
      "find_media",
      "find_upload",
      "finish_upload",
      "list_items",
      "open_media",
      "open_upload",
      "owner_of_token",
      "record_item",
      "same_media",
      "seal_media",
      "submit_media",
      "upload_limits",
      "where_items",
    ]);
    const readable = await rowsOf(
      inbox.admin,
      "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'omoide'::regnamespace AND (" +
        "c.relkind = 'S' AND has_sequence_privilege('omoide_app', c.oid, 'USAGE,SELECT,UPDATE') " +
        "OR c.relkind IN ('r', 'v', 'p', 'm', 'f') AND (" +
        "has_table_privilege('omoide_app', c.oid, 'SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER') " +
        "OR has_any_column_privilege('omoide_app', c.oid, 'SELECT,INSERT,UPDATE,REFERENCES')))",
    );
    assert.deepEqual(readable, []);
  },
);

inboxTest("the application cannot read, change or delete what was submitted", async (inbox) => {
  const app = await inbox.as("app");
  const id = await submit(app);
  for (
    const table of [
      "media",
      "media_chunk",
      "delivery",
      "stored",
      "storage",
      "settings",
      "worker",
      "ledger",
      "my_chunk",
      "receipt",
      "owed",
      "worker_status",
      "inbox_status",
      "usage_today",
      "releasable",
      "migration",
      "upload",
      "token",
      "item",
    ]
  ) {
    await refused(app, DENIED, `SELECT * FROM omoide.${table}`);
    await refused(app, DENIED, `BEGIN; LOCK TABLE omoide.${table} IN ACCESS SHARE MODE`);
    await app.query("ROLLBACK");
    await refused(app, DENIED, `COPY (TABLE omoide.${table}) TO STDOUT`);
  }
  for (
    const table of [
      "media",
      "media_chunk",
      "delivery",
      "stored",
      "storage",
      "ledger",
      "upload",
      "token",
      "item",
    ]
  ) {
    await refused(app, DENIED, `DELETE FROM omoide.${table}`);
  }
  await refused(app, DENIED, "UPDATE omoide.media SET ext = 'exe'");
  await refused(app, DENIED, "UPDATE omoide.settings SET min_copies = 2");
  await refused(app, DENIED, "TRUNCATE omoide.media_chunk");
  await refused(app, DENIED, "INSERT INTO omoide.media_chunk VALUES (1, 1, 'x')");
  await refused(app, DENIED, "ALTER TABLE omoide.media DISABLE TRIGGER ALL");
  await refused(app, DENIED, "SELECT nextval('omoide.media_id_seq')");
  await refused(app, "OM011", "SELECT omoide.append_chunk($1, 1, 'more')", [id]);
  await refused(app, "OM011", "SELECT omoide.seal_media($1, 9, $2)", [id, sha256("a picture")]);
  const toast = await valueOf(
    inbox.admin,
    "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'omoide.media_chunk_0'::regclass",
  );
  await refused(app, DENIED, `SELECT * FROM ${toast}`);
  const hot = await inbox.as("hot");
  assert.equal(
    String(await valueOf(hot, "SELECT bytes FROM omoide.my_chunk WHERE media_id = $1", [id])),
    "a picture",
  );
});

inboxTest("the application cannot call what the workers call", async (inbox) => {
  const app = await inbox.as("app");
  for (
    const call of [
      `take_storage(${SCHEMA_VERSION}, 'hot', '${UUID}')`,
      `check_storage(${SCHEMA_VERSION}, 'hot', '${UUID}')`,
      "pending(0, 10)",
      "start_attempt('{1}', 1)",
      "acknowledge(NULL, '{1}', '{x}', '{1}', '{stored}', '{NULL}')",
      "release('{1}')",
      "report_failure(1, 'x', true)",
      "distrust('x')",
      "heartbeat(1, 'x', now(), 'idle', NULL, 1, 1, 1, 1, 1, 1, NULL)",
      "sweep()",
      "take_lanes(1, 1, NULL)",
      "lanes_due(1, 1)",
      "give_lanes(1::smallint, 1, '{0}')",
      "evict()",
      "fold_ledger()",
      "tally_inbox(-1000000000, 0)",
      "expire_uploads()",
      "own_upload(gen_random_uuid(), gen_random_uuid())",
      `insert_sealed(1, 1, '${UUID}', '${UUID}', 'content', 'jpg', 0, sha256(''))`,
      "owe(1, 1)",
      "fold_owed()",
      "fold_holdings(1)",
      "holdings()",
    ]
  ) {
    await refused(app, DENIED, `SELECT * FROM omoide.${call}`);
  }
});

inboxTest("the application cannot take the workers' locks", async (inbox) => {
  const app = await inbox.as("app");
  for (
    const call of [
      "pg_advisory_lock(1869442921, 1)",
      "pg_try_advisory_lock(1869442921, 1)",
      "pg_try_advisory_lock_shared(1869442921, 1)",
      "pg_try_advisory_xact_lock(1869442921, 1)",
      "pg_advisory_xact_lock_shared(1)",
      "pg_advisory_unlock_all()",
    ]
  ) {
    await refused(app, DENIED, `SELECT ${call}`);
  }
});

inboxTest("the application cannot fill the disk by ways that no limit counts", async (inbox) => {
  const app = await inbox.as("app");
  await refused(app, DENIED, "CREATE TEMP TABLE t (x int)");
  await refused(app, DENIED, "SELECT 1 INTO TEMP t");
  await refused(app, DENIED, "CREATE TABLE public.t (x int)");
  await refused(app, DENIED, "CREATE TABLE omoide.t (x int)");
  await refused(app, DENIED, "CREATE SCHEMA s");
  await refused(app, DENIED, "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  await refused(app, DENIED, "SELECT lo_create(0)");
  await refused(app, DENIED, "SELECT lo_creat(-1)");
  await refused(app, DENIED, "SELECT lo_from_bytea(0, 'x')");
  await refused(app, DENIED, "SELECT lo_import('/etc/passwd')");
  await refused(app, DENIED, "SELECT pg_logical_emit_message(false, 'x', 'y')");
  await refused(app, DENIED, "DO $$ BEGIN END $$");
  await refused(app, DENIED, "COPY (SELECT 1) TO '/tmp/x'");
  await refused(app, DENIED, "SET temp_file_limit = -1");
  await refused(app, DENIED, "SET log_min_messages = debug5");
  await app.query("SET work_mem = '64kB'");
  // configuration_limit_exceeded: 64 MB of temporary files.
  await refused(app, "53400", "SELECT count(*) FROM generate_series(1, 10000000) AS g(n)");
  const logged = inbox.pg.server.log.length;
  const large = "x".repeat(1_000_000);
  await assert.rejects(app.query(`SELECT '${large}'::int`));
  await inbox.admin.query("DO $$ BEGIN RAISE LOG 'the log has been written'; END $$");
  await until(() => inbox.pg.server.log.includes("the log has been written"));
  assert.ok(inbox.pg.server.log.length - logged < 10_000, "a statement of 1 MB came into the log");
});

inboxTest("the application cannot become anybody else", async (inbox) => {
  const app = await inbox.as("app");
  for (const role of ["omoide_owner", "omoide_hot", "omoide_monitor", "postgres"]) {
    await refused(app, DENIED, `SET ROLE ${role}`);
    await refused(app, DENIED, `SET SESSION AUTHORIZATION ${role}`);
  }
  await refused(app, DENIED, "SET session_replication_role = replica");
  await refused(app, DENIED, "ALTER ROLE omoide_app CONNECTION LIMIT -1");
  await refused(app, DENIED, "ALTER ROLE omoide_app SET temp_file_limit = -1");
  await refused(app, DENIED, "GRANT omoide_owner TO omoide_app");
  await refused(app, DENIED, "SELECT pg_read_file('/etc/passwd')");
  for (const database of ["postgres", "template1"]) {
    const client = new pg.Client({ connectionString: inbox.pg.url(database, "omoide_app") });
    client.on("error", () => {});
    await assert.rejects(client.connect(), { code: DENIED });
  }
});

inboxTest("a superuser's SET ROLE omoide_app has no more than the application", async (inbox) => {
  await inbox.admin.query("SET ROLE omoide_app");
  await refused(inbox.admin, DENIED, "SELECT * FROM omoide.media_chunk");
  await refused(inbox.admin, DENIED, "SELECT * FROM omoide.pending(0, 1)");
  await submit(inbox.admin);
  await inbox.admin.query("BEGIN");
  await inbox.admin.query(
    "SELECT omoide.open_media(gen_random_uuid(), gen_random_uuid(), 'content', 'jpg')",
  );
  await refused(inbox.admin, "OM012", "COMMIT");
  await inbox.admin.query("RESET ROLE");
  assert.equal(await valueOf(inbox.admin, "SELECT count(*) FROM omoide.media"), "1");
});

/** What stands before PostgreSQL's own in the search_path of whoever made it, by a call that meets it. */
const EVIL_FUNCTIONS: Record<string, { result: string; call: string }> = {
  "sha256(bytea)": { result: "bytea", call: "SELECT sha256('x')" },
  "now()": { result: "timestamptz", call: "SELECT now()" },
  "octet_length(bytea)": { result: "int", call: "SELECT octet_length('x'::bytea)" },
  "pg_notify(text, text)": { result: "void", call: "SELECT pg_notify('x', '')" },
  "format(text, VARIADIC text[])": { result: "text", call: "SELECT format('%s', 'x'::text)" },
  "eq(bigint, bigint)": { result: "boolean", call: "SELECT 1::bigint = 1::bigint" },
  "current_setting(text)": { result: "text", call: "SELECT current_setting('x')" },
};

/** Makes them; @returns connections of the application and a worker that look there first. */
async function plantEvil(inbox: TestInbox): Promise<{ app: Connection; hot: Connection }> {
  await inbox.admin.query(
    "CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO omoide_app, omoide_hot; " +
      "GRANT USAGE ON LANGUAGE plpgsql TO omoide_app",
  );
  const app = await inbox.as("app");
  const hot = await inbox.as("hot");
  for (const [name, { result }] of Object.entries(EVIL_FUNCTIONS)) {
    await app.query(
      `CREATE FUNCTION evil.${name} RETURNS ${result} ` +
        "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'reached'; END $$",
    );
  }
  await app.query(
    "CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.eq); " +
      "CREATE TABLE evil.settings (x int); CREATE TABLE evil.media (x int)",
  );
  for (const client of [app, hot]) await client.query("SET search_path = evil, pg_catalog, omoide");
  return { app, hot };
}

inboxTest("nobody gets past the pinned search_path", async (inbox) => {
  const { app, hot } = await plantEvil(inbox);
  const id = await submit(app, "a picture", UUID, UUID);
  await app.query("BEGIN");
  const opened = await valueOf(app, "SELECT omoide.open_media($1, $1, 'preview', 'jpg')", [UUID]);
  await app.query("SELECT omoide.append_chunk($1, 0, 'abc')", [opened]);
  await app.query("SELECT omoide.seal_media($1, 3, $2)", [opened, sha256("abc")]);
  await app.query("COMMIT");
  const found = await rowsOf<{ sha256: Uint8Array }>(
    app,
    "SELECT sha256 FROM omoide.find_media($1, $1)",
    [UUID],
  );
  assert.deepEqual(found.map((row) => new Uint8Array(row.sha256)), [
    new Uint8Array(sha256("a picture")),
    new Uint8Array(sha256("abc")),
  ]);
  await hot.query(ACKNOWLEDGE, [id, sha256("a picture")]);
  await hot.query("SELECT * FROM omoide.sweep()");
  // What tells of an error calls functions too.
  await refused(app, "OM010", "SELECT omoide.open_media($1, $1, 'x', 'jpg')", [UUID]);
});

inboxTest("where the search_path is not pinned, what stands first is reached", async (inbox) => {
  const { app, hot } = await plantEvil(inbox);
  const id = await valueOf(
    inbox.admin,
    "SELECT omoide.submit_media($1, $1, 'content', 'jpg', 'a picture')",
    [UUID],
  );
  const reached = async (client: Connection, text: string, values: unknown[] = []) =>
    await refused(client, "P0001", text, values, /reached/);
  for (const { call } of Object.values(EVIL_FUNCTIONS)) await reached(app, call);

  await inbox.admin.query(
    `DO $$ DECLARE v_function regprocedure; BEGIN
       FOR v_function IN SELECT p.oid FROM pg_proc p
         WHERE p.pronamespace = 'omoide'::regnamespace AND p.proconfig::text LIKE '%search_path%'
       LOOP EXECUTE format('ALTER FUNCTION %s RESET search_path', v_function); END LOOP;
     END $$`,
  );
  await reached(app, "SELECT omoide.submit_media($1, $1, 'content', 'jpg', 'x')", [UUID]);
  await reached(app, "SELECT omoide.open_media($1, $1, 'x', 'jpg')", [UUID]);
  await app.query("BEGIN");
  const opened = await valueOf(app, "SELECT omoide.open_media($1, $1, 'preview', 'jpg')", [UUID]);
  await app.query("SAVEPOINT open");
  await reached(app, "SELECT omoide.append_chunk($1, 0, 'abc')", [opened]);
  await app.query("ROLLBACK TO open");
  await reached(app, "SELECT omoide.seal_media($1, 3, $2)", [opened, sha256("abc")]);
  await app.query("ROLLBACK");
  await reached(app, "SELECT omoide.find_media($1, $1)", [UUID]);
  await reached(hot, ACKNOWLEDGE, [id, sha256("a picture")]);
  await reached(hot, "SELECT * FROM omoide.sweep()");
});

inboxTest("what the application sets for itself is undone by inbox init", async (inbox) => {
  const app = await inbox.as("app");
  const poison: Record<string, string> = {
    default_transaction_isolation: "serializable",
    default_transaction_read_only: "on",
    search_path: "evil",
    row_security: "off",
    lock_timeout: "1ms",
    statement_timeout: "1ms",
    bytea_output: "escape",
    TimeZone: "Pacific/Kiritimati",
    synchronous_commit: "off",
    local_preload_libraries: "nothing",
    standard_conforming_strings: "off",
  };
  for (const [setting, value] of Object.entries(poison)) {
    await app.query(`ALTER ROLE omoide_app SET ${setting} = '${value}'`);
    await app.query(
      `ALTER ROLE omoide_app IN DATABASE ${inbox.database} SET ${setting} = '${value}'`,
    );
  }
  await initInbox(inbox.admin);
  const later = await inbox.as("app");
  await submit(later);
  for (const [setting, value] of Object.entries(poison)) {
    assert.notEqual(await valueOf(later, `SHOW ${setting}`), value, setting);
  }
});

inboxTest("poisoned defaults break no promise before init undoes them", async (inbox) => {
  const app = await inbox.as("app");
  for (
    const setting of [
      "default_transaction_isolation = 'serializable'",
      "search_path = ''",
      "bytea_output = 'escape'",
      "TimeZone = 'Pacific/Kiritimati'",
      "synchronous_commit = 'off'",
      "standard_conforming_strings = 'off'",
      "DateStyle = 'Postgres, DMY'",
      "IntervalStyle = 'sql_standard'",
      "transform_null_equals = 'on'",
    ]
  ) {
    await app.query(`ALTER ROLE omoide_app SET ${setting}`);
  }
  await inbox.admin.query("UPDATE omoide.settings SET owner_media_per_day = 2");
  const later = await inbox.as("app");
  assert.equal(await valueOf(later, "SHOW synchronous_commit"), "off");
  await later.query("BEGIN");
  await submit(later, "a picture", UUID, UUID);
  assert.equal(await valueOf(later, "SHOW synchronous_commit"), "on");
  await later.query("COMMIT");
  await submit(later, "another", UUID, UUID);
  await refused(later, "OM003", "SELECT omoide.submit_media($1, $1, 'content', 'jpg', 'c')", [
    UUID,
  ]);
  const names = await rowsOf<{ public_name: string }>(
    later,
    "SELECT public_name FROM omoide.find_media($1, $1)",
    [UUID],
  );
  const hex = Array.from(sha256("another"), (byte) => byte.toString(16).padStart(2, "0")).join("");
  assert.deepEqual(names.map((row) => row.public_name), [`${UUID}.jpg`, `${UUID}~${hex}.jpg`]);
});

/** Waits for something that another process brings about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
