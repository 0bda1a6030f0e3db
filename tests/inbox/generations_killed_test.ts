/**
 * A worker's session, or the whole server, ends at every statement by which a generation is emptied and what
 * is left in it moved.
 */
import assert from "node:assert/strict";
import type { Connection } from "../../src/inbox/connect.ts";
import { FUNCTIONS } from "../../src/inbox/schema/functions.ts";
import { makeInbox, startPostgres, type TestInbox, VERSIONS } from "../support/postgres.ts";
import {
  CHUNK,
  currentGeneration,
  fileBytes,
  generationOf,
  leave,
  recycle,
  requireWhole,
} from "./support/generations.ts";
import { inboxTest, rowsOf, submit, valueOf } from "./support/inbox_test.ts";

const LARGE = "x".repeat(3 * CHUNK);
const ON_THE_WAY = [
  "recycle",
  "has_little_left",
  "move_stragglers",
  "move_chunks",
  "empty_generation",
];

/** A call after each statement of a function's body, which ends the session if it is its turn. */
function stoppable(name: string, first: number): { sql: string; points: number } {
  const text = FUNCTIONS[name] as string;
  const body = text.indexOf("\nBEGIN\n") + "\nBEGIN\n".length;
  let points = 0;
  const stopping = text.slice(body).replace(
    /;\n(?=\s+(?!END\b|EXCEPTION\b|ELSE|RETURN;))/g,
    () => `;\nPERFORM omoide.stop_here(${first + points++});\n`,
  );
  return { sql: text.slice(0, body) + stopping, points };
}

/** @returns how many points there are */
async function makeStoppable(inbox: TestInbox): Promise<number> {
  await inbox.admin.query(
    `CREATE TABLE omoide.stop_at AS SELECT -1 AS point;
    GRANT SELECT ON omoide.stop_at TO PUBLIC;
    CREATE FUNCTION omoide.stop_here(p_point int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF p_point = (SELECT point FROM omoide.stop_at) THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(60);
      END IF;
    END $$;
    GRANT EXECUTE ON FUNCTION omoide.stop_here(int) TO PUBLIC`,
  );
  let points = 0;
  for (const name of ON_THE_WAY) {
    const made = stoppable(name, points);
    await inbox.admin.query(made.sql);
    points += made.points;
  }
  return points;
}

/** Something of everything: what leaves, what stays as little, and what an abort left behind. */
async function fill(inbox: TestInbox, workers: readonly Connection[]): Promise<string[]> {
  const app = await inbox.as("app");
  const kept = [await submit(app, "x"), await submit(app, "y".repeat(CHUNK + 1))];
  for (let n = 0; n < 4; n++) await leave(workers, [await submit(app, LARGE)], LARGE);
  await recycle(workers[0] as Connection);
  await inbox.admin.query("UPDATE omoide.generation SET quiet_since = '-infinity'");
  return kept;
}

inboxTest(
  "a session that ends at any statement of emptying or moving changes nothing",
  async (inbox) => {
    const workers = [await inbox.as("hot"), await inbox.as("cold")];
    const kept = await fill(inbox, workers);
    const points = await makeStoppable(inbox);
    assert.ok(points > 20, `${points} points`);
    const before = await fileBytes(inbox);
    const others = Array.from({ length: 15 }, (_, n) => `omoide.media_chunk_${n + 1}`);
    const truncateOthers = `TRUNCATE ${others.join(", ")}`;
    let stopped = 0;
    for (let point = 0; point < points; point++) {
      // As if it had only begun: what no transaction owns, and what an undone one leaves in files.
      await inbox.admin.query(truncateOthers);
      await inbox.admin.query("SELECT setval('omoide.current_generation', 0)");
      await inbox.admin.query("UPDATE omoide.stop_at SET point = $1", [point]);
      const dies = await inbox.as("hot");
      try {
        await dies.query("BEGIN; SELECT omoide.recycle(true); ROLLBACK");
        continue;
      } catch {
        stopped += 1;
      }
      await requireWhole(inbox.admin);
      for (const id of kept) assert.equal(await generationOf(inbox, id), 0);
      assert.ok(await fileBytes(inbox) >= before);
    }
    // Some are passed only by what can't be moved or emptied.
    assert.ok(stopped > points / 2, `${stopped} of ${points} points were met`);
    await inbox.admin.query(truncateOthers);
    await inbox.admin.query("UPDATE omoide.stop_at SET point = -1");
    assert.deepEqual(await recycle(workers[0] as Connection), { emptied: 1, moved: CHUNK + 2 });
    await requireWhole(inbox.admin);
  },
);

for (const version of VERSIONS) {
  Deno.test({
    name:
      `a server that dies before or after the commit has all or nothing emptied (PostgreSQL ${version})`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using pg = await startPostgres({ version });
      const inbox = await makeInbox(pg);
      const workers = [await inbox.as("hot"), await inbox.as("cold")];
      const kept = await fill(inbox, workers);
      const [hot] = workers as [Connection];
      await hot.query("BEGIN");
      assert.deepEqual(await recycle(hot), { emptied: 1, moved: CHUNK + 2 });
      // Another's commit brings what was written so far to the disk.
      await submit(await inbox.as("app"), "z");
      await pg.kill();
      await pg.startAgain();
      const admin = await pg.connect(inbox.database);
      const again = { ...inbox, admin };
      await requireWhole(admin);
      for (const id of kept) assert.equal(await generationOf(again, id), 0);
      assert.equal(await valueOf(admin, "SELECT count(*) FROM omoide.media"), "7");

      await admin.query("UPDATE omoide.generation SET quiet_since = '-infinity'");
      const files = await fileBytes(again);
      const recycled = await recycle(await inbox.as("hot"));
      assert.equal(recycled.emptied, 1);
      await pg.kill();
      await pg.startAgain();
      const last = await pg.connect(inbox.database);
      const after = { ...inbox, admin: last };
      await requireWhole(last);
      assert.ok(await fileBytes(after) < files / 2);
      for (const id of kept) {
        assert.equal(await generationOf(after, id), await currentGeneration(after));
      }
      assert.equal((await rowsOf(await inbox.as("cold"), "SELECT FROM omoide.my_chunk")).length, 4);
    },
  });
}
