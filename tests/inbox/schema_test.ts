/**
 * The whole schema, access rights included, as it is kept in `schema.txt`. To renew that after a change:
 *
 *     deno test -A tests/inbox/schema_test.ts -- --renew
 */
import assert from "node:assert/strict";
import { initInbox } from "../../src/inbox/admin/init_inbox.ts";
import { registerStorage } from "../../src/inbox/admin/register_storage.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { MIGRATIONS } from "../../src/inbox/schema/migrations.ts";
import { startPostgres, type TestPostgres, VERSIONS } from "../support/postgres.ts";
import { describeSchema } from "./support/describe_schema.ts";
import {
  inboxTest,
  pendingIds,
  release,
  rowsOf,
  untilItWaits,
  valueOf,
} from "./support/inbox_test.ts";

const GOLDEN = new URL("schema.txt", import.meta.url);
const VERSION_8 = new URL("support/version_8.sql", import.meta.url);

inboxTest("the schema is the one that is kept here, access rights included", async (inbox) => {
  const schema = await describeSchema(inbox.admin);
  if (Deno.args.includes("--renew")) await Deno.writeTextFile(GOLDEN, schema);
  assert.equal(schema, await Deno.readTextFile(GOLDEN));
});

/** @returns the name of a new database with an inbox of version 8 */
async function restoreVersion8(pg: TestPostgres): Promise<string> {
  const database = await pg.createDatabase();
  // A connection of its own: the dump changes what its session searches.
  const restore = await pg.connect(database);
  await restore.query(await Deno.readTextFile(VERSION_8));
  await restore.end();
  return database;
}

for (const version of VERSIONS) {
  Deno.test(`an inbox of version 8 comes to the same schema with all that it holds (PostgreSQL ${version})`, async () => {
    await using pg = await startPostgres({ version, fsync: false });
    const database = await restoreVersion8(pg);
    const admin = await pg.connect(database);
    const before = asOfNow(await allRows(admin));
    const { applied, inbox } = await initInbox(admin);
    assert.deepEqual(applied.map((each) => each.split(" ")[0])[0], "9");
    assert.equal(inbox, "11111111-1111-4111-8111-111111111111");

    const after = await allRows(admin);
    for (const [table, rows] of Object.entries(before)) {
      assert.ok(rows.length > 0, `the fixture has nothing in ${table}`);
      // Newer migrations add rows to one table and columns to others.
      const now = new Set(after[table]?.map((row) => JSON.stringify(only(row, rows[0]))));
      assert.deepEqual(rows.filter((row) => !now.has(JSON.stringify(row))), [], table);
      if (table !== "migration") assert.equal(after[table]?.length, rows.length, table);
    }
    // A third storage that is in the fixture and not in schema.txt.
    const schema = (await describeSchema(admin)).replace(/.*omoide_old.*\n/g, "");
    assert.equal(schema, await Deno.readTextFile(GOLDEN));

    // And it works: what was owed, failing, parked and started is so still.
    const hot = await pg.connect(database, "omoide_hot");
    assert.deepEqual(await pendingIds(hot), ["3", "5", "7", "8", "9"]);
    const life = await valueOf(
      admin,
      "SELECT started_in_life FROM omoide.delivery WHERE storage_id = 1 AND media_id = 3",
    );
    await hot.query("SELECT omoide.cancel_attempt('{3}', $1)", [life]);
    assert.equal(await release(hot, ["5"]), 0);
    assert.deepEqual(
      await rowsOf(
        admin,
        "SELECT attempts FROM omoide.delivery WHERE storage_id = 1 AND media_id = 3",
      ),
      [{ attempts: 0 }],
    );
    // Its blobs are where they were, in the first generation.
    assert.deepEqual(
      await rowsOf(
        hot,
        "SELECT DISTINCT p.generation, c.generation AS held FROM omoide.pending(0, 100) p " +
          "JOIN omoide.my_chunk c ON c.media_id = p.media_id",
      ),
      [{ generation: 0, held: 0 }],
    );
    for (const connection of [hot, admin]) await connection.end();
  });
}

for (const version of VERSIONS) {
  Deno.test(`an inbox of version 21 keeps what waits where its chunks are (PostgreSQL ${version})`, async () => {
    await using pg = await startPostgres({ version, fsync: false });
    const database = await restoreVersion8(pg);
    const admin = await pg.connect(database);
    await admin.query("BEGIN; SET LOCAL ROLE omoide_owner");
    for (const each of MIGRATIONS.filter((each) => each.version > 8 && each.version < 22)) {
      await admin.query(each.sql);
    }
    // Functions of that version there are none, so their triggers would refuse.
    await admin.query(
      `RESET ROLE; SET LOCAL session_replication_role = replica;
      UPDATE omoide.settings SET schema_version = 21;
      UPDATE omoide.media SET generation = 3 WHERE id IN (3, 9);
      UPDATE omoide.media_chunk SET generation = 3 WHERE media_id IN (3, 9);
      UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'disk' WHERE id = 2;
      INSERT INTO omoide.upload (id, key, owner_uuid, item_uuid, media_type, ext, size, chunks, generation,
        day, expires_at)
      VALUES (20, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'content', 'jpg', 300000, 1, 3,
        now(), 'infinity');
      INSERT INTO omoide.media_chunk VALUES (20, 0, decode(repeat('00', 262144), 'hex'), 3);
      SELECT setval('omoide.media_id_seq', 20); COMMIT`,
    );
    const asked = [
      "SELECT * FROM omoide.upload",
      "SELECT media_id, seq, generation, sha256(bytes) AS sha256 FROM omoide.media_chunk ORDER BY 1, 2",
      "SELECT * FROM omoide.delivery ORDER BY storage_id, media_id",
      "SELECT storage_id, media_id, outcome::text, path, stored_at FROM omoide.stored ORDER BY 1, 2",
      "SELECT * FROM omoide.storage ORDER BY id",
    ];
    const before = [];
    for (const query of asked) before.push(await rowsOf(admin, query));
    const waiting = await rowsOf(
      admin,
      "SELECT id AS media_id, size, generation FROM omoide.media WHERE released_at IS NULL ORDER BY id",
    );
    // Beside a submit that has its id and not yet its row, and a worker that waits.
    const [submitting, watching] = [await pg.connect(database), await pg.connect(database)];
    await submitting.query("BEGIN; SELECT nextval('omoide.media_id_seq')");
    const older = await pg.connect(database, "omoide_hot");
    const migrated = initInbox(admin);
    await untilItWaits({ admin: watching }, migrated);
    await submitting.query("LOCK TABLE omoide.media IN ROW EXCLUSIVE MODE; COMMIT");
    await migrated;
    await assert.rejects(older.query("SELECT 1"));
    for (const [n, query] of asked.entries()) {
      assert.deepEqual(await rowsOf(admin, query), before[n], query);
    }
    assert.deepEqual(
      await rowsOf(
        admin,
        "SELECT media_id, size, generation FROM omoide.waiting ORDER BY media_id",
      ),
      waiting,
    );
    assert.ok(waiting.length > 2);
    assert.equal(await valueOf(admin, "SELECT nextval('omoide.media_id_seq')"), "22");
    // Nothing of it goes: generation 0 and 3 have bytes that somebody waits for.
    const hot = await pg.connect(database, "omoide_hot");
    await hot.query("SELECT omoide.recycle(true)");
    assert.deepEqual(
      await rowsOf(admin, "SELECT id, count(*)::int FROM omoide.blobs(3) GROUP BY id ORDER BY id"),
      [{ id: "3", count: 1 }, { id: "9", count: 1 }, { id: "20", count: 1 }],
    );
    assert.equal(
      await valueOf(admin, "SELECT count(*)::int FROM omoide.media_chunk WHERE generation = 3"),
      3,
    );
    for (const connection of [hot, admin, submitting, watching]) await connection.end();
  });
}

type Row = Record<string, unknown>;

/** What version 22 and later keep of these rows, and where. */
function asOfNow(all: Record<string, Row[]>): Record<string, Row[]> {
  const media = all.media ?? [];
  return {
    ...all,
    media: media.map(({ public_name, opened_at: _, released_at: __, ...row }) => ({
      ...row,
      has_plain_name: public_name === `${row.item_uuid}.${row.ext}`,
    })),
    waiting: media.filter(({ released_at }) => released_at === null)
      .map(({ id, size }) => ({ media_id: id, size })),
  };
}

/** The columns that another row has. */
function only(row: Row, other: Row | undefined): Row {
  return Object.fromEntries(Object.keys(other ?? {}).map((column) => [column, row[column]]));
}

// What a restore into a new cluster leaves: version_8.sql is a dump, and without its roles, owners and rights
// it is as `pg_restore --no-owner --no-privileges` brings it.
for (const version of VERSIONS) {
  Deno.test(`init makes an inbox again of what a superuser has restored into a new cluster (PostgreSQL ${version})`, async () => {
    await using pg = await startPostgres({ version, fsync: false });
    const database = await pg.createDatabase();
    const restore = await pg.connect(database);
    await restore.query(
      (await Deno.readTextFile(VERSION_8)).replace(
        /^(CREATE ROLE|COMMENT ON ROLE|GRANT|REVOKE|ALTER .* OWNER TO|ALTER DEFAULT PRIVILEGES) .*\n/gm,
        "",
      ),
    );
    await restore.end();
    const admin = await pg.connect(database);
    // Up to date but for its owners.
    await assert.rejects(
      registerStorage(admin, { name: "new", identity: crypto.randomUUID(), prefixSize: 2 }),
      /restored from a backup.*run `inbox init` first/,
    );
    for (const each of ["first", "second"]) {
      await initInbox(admin);
      const schema = (await describeSchema(admin)).replace(/.*omoide_old.*\n/g, "");
      assert.equal(schema, await Deno.readTextFile(GOLDEN), each);
      // As if it had been restored just now, by a superuser of another name.
      const { rows } = await admin.query(
        "SELECT 'ALTER ' || CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END || ' ' || oid::regclass || " +
          "' OWNER TO postgres' AS change FROM pg_class " +
          "WHERE relnamespace = 'omoide'::regnamespace AND relkind IN ('r', 'v') " +
          "UNION ALL SELECT 'ALTER ROUTINE ' || oid::regprocedure || ' OWNER TO postgres' FROM pg_proc " +
          "WHERE pronamespace = 'omoide'::regnamespace " +
          "UNION ALL SELECT 'ALTER TYPE ' || oid::regtype || ' OWNER TO postgres' FROM pg_type " +
          "WHERE typnamespace = 'omoide'::regnamespace AND typtype = 'e'",
      );
      for (const { change } of rows) await admin.query(change);
    }
    await admin.end();
  });
}

/** Every row of every table by its key, under the columns' names of now. */
async function allRows(connection: Connection): Promise<Record<string, Row[]>> {
  const tables = await rowsOf<{ name: string }>(
    connection,
    "SELECT relname AS name FROM pg_class WHERE relnamespace = 'omoide'::regnamespace " +
      "AND relkind IN ('r', 'p') AND NOT relispartition",
  );
  const all: Record<string, Row[]> = {};
  for (const { name } of tables) {
    const rows = await rowsOf<{ row: Row }>(
      connection,
      `SELECT replace((to_jsonb(t) - 'schema_version')::text, 'begun_in_life', 'started_in_life')::jsonb AS row
      FROM omoide.${name} t ORDER BY 1`,
    );
    all[name] = rows.map(({ row }) => row);
  }
  return all;
}
