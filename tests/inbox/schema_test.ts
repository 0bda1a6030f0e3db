/**
 * The whole schema, access rights included, as it is kept in `schema.txt`. To renew that after a change:
 *
 *     deno test -A tests/inbox/schema_test.ts -- --renew
 */
import assert from "node:assert/strict";
import { initInbox } from "../../src/inbox/admin/migrate.ts";
import { registerStorage } from "../../src/inbox/admin/register_storage.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { startPostgres, VERSIONS } from "../support/postgres.ts";
import { describeSchema } from "./support/describe_schema.ts";
import { inboxTest, pendingIds, release, rowsOf, valueOf } from "./support/inbox_test.ts";

const GOLDEN = new URL("schema.txt", import.meta.url);
const VERSION_8 = new URL("support/version_8.sql", import.meta.url);

inboxTest("the schema is the one that is kept here, access rights included", async (inbox) => {
  const schema = await describeSchema(inbox.admin);
  if (Deno.args.includes("--renew")) await Deno.writeTextFile(GOLDEN, schema);
  assert.equal(schema, await Deno.readTextFile(GOLDEN));
});

for (const version of VERSIONS) {
  Deno.test(`an inbox of version 8 comes to the same schema with all that it holds (PostgreSQL ${version})`, async () => {
    await using pg = await startPostgres({ version, fsync: false });
    const database = await pg.createDatabase();
    const restore = await pg.connect(database);
    await restore.query(await Deno.readTextFile(VERSION_8));
    await restore.end();
    const admin = await pg.connect(database);
    const before = await allRows(admin);
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

type Row = Record<string, unknown>;

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
          "WHERE pronamespace = 'omoide'::regnamespace",
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
