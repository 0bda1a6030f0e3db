import assert from "node:assert/strict";
import type { AdminInbox } from "../../src/inbox/admin/inbox.ts";
import { replaceIdentity } from "../../src/inbox/admin/replace.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { sqlstateOf } from "../../src/inbox/server_error.ts";
import {
  append,
  CHUNK,
  currentGeneration,
  fileBytes,
  generationOf,
  leave,
  lockedGenerations,
  recycle,
  requireWhole,
  seal,
} from "./support/generations.ts";
import {
  acknowledge,
  inboxTest,
  refused,
  release,
  rowsOf,
  sha256,
  submit,
  valueOf,
} from "./support/inbox_test.ts";

const LARGE = "x".repeat(3 * CHUNK);
const OWNER = "00000000-0000-4000-8000-0000000000aa";
const SUBMIT = "SELECT omoide.submit_media($1, gen_random_uuid(), 'content', 'jpg', $2)";

inboxTest("the files go when nobody waits for what is in them, without a vacuum", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const ids = [await submit(app, LARGE), await submit(app, LARGE)];
  await acknowledge(hot, ids, LARGE);
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  await leave([cold], ids, LARGE);
  assert.ok(await fileBytes(inbox) > LARGE.length);
  // Under load, where it is not worth a new generation yet, nothing is touched.
  assert.deepEqual(await recycle(hot, false), { emptied: 0, moved: 0 });
  assert.deepEqual(await recycle(hot), { emptied: 1, moved: 0 });
  assert.equal(await fileBytes(inbox), 0);
  assert.equal(await currentGeneration(inbox), 1);
  // Nothing is there to do.
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  assert.equal(await currentGeneration(inbox), 1);
});

inboxTest("a large generation is followed by the next, and both go in any order", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  await inbox.admin.query("UPDATE omoide.settings SET max_inbox_disk_bytes = 8 * 600000");
  const first = await submit(app, LARGE);
  await recycle(hot, false);
  const second = await submit(app, LARGE);
  await recycle(hot, false);
  const third = await submit(app, "x");
  const places = await Promise.all([first, second, third].map((id) => generationOf(inbox, id)));
  assert.deepEqual(places, [0, 1, 2]);
  await leave([hot, cold], [second], LARGE);
  assert.deepEqual(await recycle(hot, false), { emptied: 1, moved: 0 });
  await leave([hot, cold], [first], LARGE);
  assert.deepEqual(await recycle(cold, false), { emptied: 1, moved: 0 });
  await requireWhole(inbox.admin);
});

inboxTest(
  "an open transaction keeps the generation that it writes to, and no other",
  async (inbox) => {
    const [app, other] = [await inbox.as("app"), await inbox.as("app")];
    const [hot, cold] = [await inbox.as("hot"), await inbox.as("cold")];
    await app.query("BEGIN");
    const open = await append(app, 1);
    // More than the five calls after which a plan may become a generic one.
    for (let n = 0; n < 8; n++) await seal(app, await append(app, 1), 1);
    assert.deepEqual(await lockedGenerations(app, inbox.admin), [
      "media_chunk_0: AccessShareLock",
      "media_chunk_0: RowExclusiveLock",
    ]);
    for (let n = 0; n < 3; n++) {
      await leave([hot, cold], [await submit(other, LARGE)], LARGE);
      // The first time away from generation 0, which stays; then the one after it is emptied each time.
      assert.deepEqual(await recycle(hot), { emptied: n === 0 ? 0 : 1, moved: 0 });
    }
    assert.ok(await currentGeneration(inbox) > 1);
    await app.query("SELECT omoide.append_chunk($1, 1, $2)", [open, new Uint8Array(CHUNK)]);
    await seal(app, open, 2);
    await app.query("COMMIT");
    assert.equal(await generationOf(inbox, open), 0);
    await recycle(hot);
    await requireWhole(inbox.admin);
  },
);

inboxTest("a COPY of one generation does not keep another from being emptied", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const kept = await submit(app, LARGE);
  await inbox.admin.query("SELECT setval('omoide.current_generation', 1)");
  await leave([hot, cold], [await submit(app, LARGE)], LARGE);
  await hot.query("BEGIN");
  await hot.query(
    `SELECT count(bytes) FROM omoide.my_chunk WHERE generation = 0 AND media_id = ANY ('{${kept}}')`,
  );
  assert.deepEqual(await lockedGenerations(hot, inbox.admin), ["media_chunk_0: AccessShareLock"]);
  assert.deepEqual(await recycle(cold), { emptied: 1, moved: 0 });
  await hot.query("COMMIT");
});

for (const level of ["repeatable read", "serializable"]) {
  inboxTest(`with an old snapshot nothing is emptied, under ${level}`, async (inbox) => {
    const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
    await hot.query(`BEGIN ISOLATION LEVEL ${level}`);
    await rowsOf(hot, "SELECT * FROM omoide.pending(0, 1)");
    // Committed after the snapshot, so a look that went by it would find the generation free.
    await submit(app, "a picture");
    await inbox.admin.query("SELECT setval('omoide.current_generation', 1)");
    assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
    await hot.query("COMMIT");
    await requireWhole(inbox.admin);
  });

  inboxTest(
    `what comes late into a generation that was emptied meanwhile is safe, under ${level}`,
    async (inbox) => {
      const [app, other] = [await inbox.as("app"), await inbox.as("app")];
      const [hot, cold] = [await inbox.as("hot"), await inbox.as("cold")];
      await app.query(`BEGIN ISOLATION LEVEL ${level}`);
      const late = await append(app, 0);
      await leave([hot, cold], [await submit(other, LARGE)], LARGE);
      assert.deepEqual(await recycle(hot), { emptied: 1, moved: 0 });
      assert.notEqual(await currentGeneration(inbox), 0);
      await app.query("SELECT omoide.append_chunk($1, 0, $2)", [late, new Uint8Array(CHUNK)]);
      assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
      await seal(app, late, 1);
      await app.query("COMMIT");
      assert.equal(await generationOf(inbox, late), 0);
      assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
      await requireWhole(inbox.admin);
      await leave([hot, cold], [late], new Uint8Array(CHUNK));
      await recycle(hot);
      assert.equal(await fileBytes(inbox), 0);
    },
  );
}

inboxTest("a worker that lies can empty nothing that is owed", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const ids = [await submit(app, LARGE), await submit(app, "x")];
  await acknowledge(hot, ids, LARGE);
  await release(hot, ids);
  for (const thorough of [true, false]) await recycle(hot, thorough);
  await refused(hot, "42501", "TRUNCATE omoide.media_chunk_0");
  await refused(hot, "42501", "BEGIN; LOCK TABLE omoide.media_chunk_0 IN ACCESS EXCLUSIVE MODE");
  await hot.query("ROLLBACK");
  await refused(hot, "42501", "SELECT omoide.empty_generation(0)");
  await refused(hot, "42501", "SELECT omoide.move_stragglers(0, 1)");
  await refused(hot, "42501", "SELECT setval('omoide.current_generation', 1)");
  await refused(app, "42501", "SELECT omoide.recycle(true)");
  // Not even half of it: while its own call reads the generation, it can't be emptied by that call.
  await hot.query("SELECT r.* FROM omoide.my_chunk c, LATERAL omoide.recycle(c.seq = 0) r");
  await requireWhole(inbox.admin);
  assert.deepEqual((await rowsOf(cold, "SELECT FROM omoide.my_chunk")).length, 4);
});

inboxTest("an uncommitted release empties nothing, nor does one that is undone", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const id = await submit(app, LARGE);
  for (const worker of [hot, cold]) await acknowledge(worker, [id], LARGE);
  await hot.query("BEGIN");
  assert.equal(await release(hot, [id]), 1);
  assert.deepEqual(await recycle(cold), { emptied: 0, moved: 0 });
  // Its own it may empty, and gets it back with its media.
  assert.deepEqual(await recycle(hot), { emptied: 1, moved: 0 });
  await hot.query("ROLLBACK");
  await requireWhole(inbox.admin);
  assert.equal(await release(hot, [id]), 1);
  assert.deepEqual(await recycle(cold), { emptied: 1, moved: 0 });
});

inboxTest("a storage's root replaced at the last moment finds what it is owed", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const id = await submit(app, LARGE);
  for (const worker of [hot, cold]) await acknowledge(worker, [id], LARGE);
  const cold_id = Number(
    await valueOf(inbox.admin, "SELECT id FROM omoide.storage WHERE name = 'cold'"),
  );
  const root = crypto.randomUUID();
  await inbox.admin.query("BEGIN");
  await replaceIdentity({ connection: inbox.admin } as AdminInbox, cold_id, root);
  assert.equal(await release(hot, [id]), 0);
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  await inbox.admin.query("COMMIT");
  assert.equal(await release(hot, [id]), 0);
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  await requireWhole(inbox.admin);
  assert.equal((await rowsOf(cold, "SELECT FROM omoide.my_chunk")).length, 3);
  // Retired, with too few left: nothing goes.
  assert.deepEqual(await acknowledge(cold, [id], LARGE, root), ["acknowledged"]);
  await inbox.admin.query("UPDATE omoide.storage SET retired_at = now() WHERE id = $1", [cold_id]);
  assert.equal(await release(hot, [id]), 0);
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  await requireWhole(inbox.admin);
});

inboxTest("one parked media does not keep a large generation", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const parked = [
    await submit(app, "x"),
    await submit(app, "y".repeat(CHUNK + 1)),
    await submit(app, ""),
  ];
  for (const id of parked) await hot.query("SELECT omoide.report_failure($1, 'bad', true)", [id]);
  for (let n = 0; n < 4; n++) await leave([hot, cold], [await submit(app, LARGE)], LARGE);
  const before = await fileBytes(inbox);
  // First looked at: it may yet go by itself.
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  await inbox.admin.query(
    "UPDATE omoide.generation SET quiet_since = quiet_since - interval '31 s'",
  );
  assert.deepEqual(await recycle(hot), { emptied: 1, moved: CHUNK + 2 });
  assert.ok(await fileBytes(inbox) < before / 4);
  await requireWhole(inbox.admin);
  for (const id of parked) {
    assert.equal(await generationOf(inbox, id), await currentGeneration(inbox));
  }
});

inboxTest("what cannot be moved stays where it is, and what can be is", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const [held, free] = [await submit(app, "x"), await submit(app, "y")];
  for (let n = 0; n < 2; n++) await leave([hot, cold], [await submit(app, LARGE)], LARGE);
  await recycle(hot);
  await inbox.admin.query("UPDATE omoide.generation SET quiet_since = '-infinity'");
  // An administrator who takes back a receipt has its row.
  const other = await inbox.pg.connect(inbox.database);
  await other.query("BEGIN");
  await other.query("SELECT FROM omoide.waiting WHERE media_id = $1 FOR UPDATE", [held]);
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 1 });
  assert.equal(await generationOf(inbox, held), 0);
  assert.notEqual(await generationOf(inbox, free), 0);
  await requireWhole(inbox.admin);
  await other.query("ROLLBACK");
  // What is left is less than at the last look: again, half a minute.
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  await inbox.admin.query("UPDATE omoide.generation SET quiet_since = '-infinity'");
  assert.deepEqual(await recycle(hot), { emptied: 1, moved: 1 });
  await requireWhole(inbox.admin);
});

inboxTest("aborted uploads close the inbox for no longer than they last", async (inbox) => {
  const [app, other] = [await inbox.as("app"), await inbox.as("app")];
  const [hot, cold] = [await inbox.as("hot"), await inbox.as("cold")];
  await inbox.admin.query("UPDATE omoide.settings SET max_inbox_disk_bytes = 1800000");
  const small = await submit(app, "0123456789");
  const picture = new Uint8Array(CHUNK);
  await other.query("BEGIN");
  const open = await append(other, 1);
  await app.query("BEGIN");
  await assert.rejects(append(app, 10), (error) => sqlstateOf(error) === "OM001");
  await app.query("ROLLBACK");
  await refused(app, "OM001", SUBMIT, [OWNER, picture], /files/);
  // It holds on to what it wrote to; whatever else was there is moved away.
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 10 });
  await refused(app, "OM001", SUBMIT, [OWNER, picture], /files/);
  await inbox.admin.query("UPDATE omoide.settings SET max_transaction_age = '0'");
  const ended = new Promise((resolve) => other.once("end", resolve));
  await hot.query("SELECT omoide.evict()");
  await ended;
  assert.deepEqual(await recycle(hot), { emptied: 1, moved: 0 });
  await app.query(SUBMIT, [OWNER, picture]);
  await requireWhole(inbox.admin);
  assert.equal(
    await valueOf(cold, "SELECT count(*) FROM omoide.my_chunk WHERE media_id = $1", [small]),
    "1",
  );
  assert.equal(
    await valueOf(inbox.admin, "SELECT count(*) FROM omoide.media WHERE id = $1", [open]),
    "0",
  );
});

inboxTest("files that grow late count for everybody, at once", async (inbox) => {
  const [app, late] = [await inbox.as("app"), await inbox.as("app")];
  await inbox.admin.query("UPDATE omoide.settings SET max_inbox_disk_bytes = 1800000");
  await late.query("BEGIN");
  const open = await append(late, 1);
  await inbox.admin.query("SELECT setval('omoide.current_generation', 1)");
  for (let seq = 1; seq < 6; seq++) {
    await late.query("SELECT omoide.append_chunk($1, $2, $3)", [open, seq, new Uint8Array(CHUNK)]);
  }
  await refused(app, "OM001", SUBMIT, [OWNER, new Uint8Array(CHUNK)], /files/);
  await late.query("ROLLBACK");
});

inboxTest(
  "with a storage away for long there are no more tables, and nothing is refused",
  async (inbox) => {
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const content = "z".repeat(20_000);
    const ids: string[] = [];
    for (let n = 0; n < 40; n++) {
      ids.push(await submit(app, content));
      await acknowledge(hot, ids.slice(-1), content);
      // Each is large for this moment, and none is nearly full.
      await inbox.admin.query("UPDATE omoide.settings SET max_inbox_disk_bytes = 8 * 8192");
      await recycle(hot, false);
      await inbox.admin.query("UPDATE omoide.settings SET max_inbox_disk_bytes = 100000000");
      await recycle(hot);
    }
    const generations = await rowsOf<{ waiting: string }>(
      inbox.admin,
      "SELECT waiting FROM omoide.generation_status",
    );
    assert.equal(generations.length, 15, "one is kept empty");
    assert.equal(generations.reduce((sum, { waiting }) => sum + Number(waiting), 0), 40);
    assert.equal(
      await valueOf(
        inbox.admin,
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'omoide.media_chunk'::regclass",
      ),
      "16",
    );
    await requireWhole(inbox.admin);
    assert.equal((await rowsOf(cold, "SELECT FROM omoide.my_chunk")).length, 40);
    await leave([cold], ids, content);
    assert.deepEqual(await recycle(cold), { emptied: 15, moved: 0 });
    assert.equal(await fileBytes(inbox), 0);
  },
);

inboxTest(
  "last acknowledgements race with emptying, and nothing that is owed is lost",
  async (inbox) => {
    const ROUNDS = 60;
    await inbox.admin.query("UPDATE omoide.settings SET max_inbox_disk_bytes = 8 * 200000");
    const apps = await Promise.all([1, 2, 3].map(() => inbox.as("app")));
    const workers = await Promise.all(["hot", "cold"].map((name) => inbox.as(name)));
    let submitting = apps.length;
    let emptied = 0;
    const content = "r".repeat(30_000);
    const submits = apps.map(async (app, n) => {
      for (let round = 0; round < ROUNDS; round++) {
        if (n === 0 && round % 10 === 0) {
          await app.query("BEGIN");
          await append(app, 1).catch(ignoreFull);
          await app.query("ROLLBACK");
        }
        await submitWhenThereIsRoom(app, content);
      }
      submitting -= 1;
    });
    const carries = workers.map(async (worker) => {
      for (let left = true; left;) {
        const wasSubmitting = submitting > 0;
        const rows = await rowsOf<{ media_id: string; generation: number }>(
          worker,
          "SELECT media_id, generation FROM omoide.pending(0, 8)",
        );
        // Where it lies now has all of it, also if it was moved since.
        for (const { media_id } of rows) {
          assert.equal(
            await valueOf(
              worker,
              "SELECT sum(length(bytes))::int FROM omoide.my_chunk WHERE media_id = $1",
              [media_id],
            ),
            content.length,
          );
        }
        const ids = rows.map(({ media_id }) => media_id);
        await acknowledge(worker, ids, content);
        await release(worker, ids);
        emptied += (await recycle(worker, Math.random() < 0.5)).emptied;
        left = wasSubmitting || rows.length > 0;
      }
    });
    await Promise.all([...submits, ...carries]);
    await rowsOf(workers[0] as Connection, "SELECT * FROM omoide.sweep()");
    emptied += (await recycle(workers[0] as Connection)).emptied;
    assert.ok(emptied > 3, `${emptied} were emptied`);
    assert.equal(await fileBytes(inbox), 0);
    const [counted] = await rowsOf(
      inbox.admin,
      "SELECT count(*)::int AS media, (count(*) - (SELECT count(*) FROM omoide.waiting))::int AS released " +
        "FROM omoide.media",
    );
    assert.deepEqual(counted, { media: 3 * ROUNDS, released: 3 * ROUNDS });
  },
);

/** The files are small in that test, and a worker makes room. */
async function submitWhenThereIsRoom(app: Connection, content: string): Promise<void> {
  while (await submit(app, content).catch(ignoreFull) === undefined);
}

function ignoreFull(error: unknown): undefined {
  if (sqlstateOf(error) !== "OM001") throw error;
}

inboxTest("status shows each generation that has something in it", async (inbox) => {
  const app = await inbox.as("app");
  await submit(app, LARGE);
  await submit(app, "x");
  await inbox.admin.query("SELECT setval('omoide.current_generation', 1)");
  await submit(app, "y");
  const monitor = await inbox.as("monitor");
  const rows = await rowsOf(
    monitor,
    "SELECT generation, is_current, file_bytes > live_bytes AS has_files, live_bytes::int, waiting::int, " +
      "oldest_sealed_at IS NOT NULL AS dated FROM omoide.generation_status",
  );
  const of = (generation: number, is_current: boolean, live_bytes: number, waiting: number) => ({
    ...{ generation, is_current, has_files: true, live_bytes, waiting, dated: true },
  });
  assert.deepEqual(rows, [of(0, false, LARGE.length + 1, 2), of(1, true, 1, 1)]);
});

const OPEN_UPLOAD = "SELECT omoide.open_upload($1, $2, $1, 'content', 'jpg', $3)";
const APPEND_UPLOAD = "SELECT omoide.append_upload($1, $2, $3, $4, NULL)";
const FINISH_UPLOAD = "SELECT media_id FROM omoide.finish_upload($1, $2, $3)";

inboxTest(
  "a pending upload keeps its generation, is moved with the rest, and goes on",
  async (inbox) => {
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const key = crypto.randomUUID();
    const content = new Uint8Array(3 * CHUNK).fill(7);
    await app.query(OPEN_UPLOAD, [key, OWNER, content.length]);
    // Opened, and without a chunk: it keeps nothing.
    await leave([hot, cold], [await submit(app, LARGE)], LARGE);
    assert.deepEqual(await recycle(hot), { emptied: 1, moved: 0 });
    await app.query(APPEND_UPLOAD, [key, OWNER, 0, content.slice(0, CHUNK)]);
    const first = await currentGeneration(inbox);
    const placed = async () =>
      Number(await valueOf(inbox.admin, "SELECT generation FROM omoide.upload"));
    assert.equal(await placed(), first);
    for (let n = 0; n < 4; n++) await leave([hot, cold], [await submit(app, LARGE)], LARGE);
    assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
    await inbox.admin.query("UPDATE omoide.generation SET quiet_since = '-infinity'");
    assert.deepEqual(await recycle(hot), { emptied: 1, moved: CHUNK });
    assert.notEqual(await placed(), first);
    await app.query(APPEND_UPLOAD, [key, OWNER, CHUNK, content.slice(CHUNK, 2 * CHUNK)]);
    await inbox.admin.query("SELECT setval('omoide.current_generation', 9)");
    await app.query(APPEND_UPLOAD, [key, OWNER, 2 * CHUNK, content.slice(2 * CHUNK)]);
    const id = await valueOf(app, FINISH_UPLOAD, [key, OWNER, sha256(content)]) as string;
    assert.equal(await generationOf(inbox, id), await placed());
    await recycle(hot);
    await requireWhole(inbox.admin);
    await leave([hot, cold], [id], content);
    await recycle(hot);
    assert.equal(await fileBytes(inbox), 0);
  },
);

inboxTest("an upload that expires or was there already keeps nothing", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const [again, expires] = [crypto.randomUUID(), crypto.randomUUID()];
  const content = new Uint8Array(CHUNK).fill(7);
  const id = await submit(app, content, OWNER, again);
  await leave([hot, cold], [id], content);
  await recycle(hot);
  for (const key of [again, expires]) {
    await app.query(OPEN_UPLOAD, [key, OWNER, content.length]);
    await app.query(APPEND_UPLOAD, [key, OWNER, 0, content]);
  }
  assert.equal(await valueOf(app, FINISH_UPLOAD, [again, OWNER, sha256(content)]), id);
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  await app.query("SELECT omoide.cancel_upload($1, $2)", [expires, OWNER]);
  // Until it is swept, since a clock may be set back.
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 0 });
  await hot.query("SELECT * FROM omoide.sweep()");
  assert.deepEqual(await recycle(hot), { emptied: 1, moved: 0 });
  assert.equal(await fileBytes(inbox), 0);
});

inboxTest("sizes that are wrong, and bytes that cannot be read, stop no sweep", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const ids = [];
  for (let n = 0; n < 4; n++) ids.push(await submit(app, "x".repeat(3000)));
  await inbox.admin.query("ALTER TABLE omoide.waiting DROP CONSTRAINT waiting_size_check");
  const sizes = ["9223372036854775807", "9223372036854775806", "-9223372036854775808"];
  for (const [n, size] of sizes.entries()) {
    await inbox.admin.query("UPDATE omoide.waiting SET size = $1 WHERE media_id = $2", [
      size,
      ids[n],
    ]);
  }
  for (let n = 0; n < 4; n++) await leave([hot, cold], [await submit(app, LARGE)], LARGE);
  await recycle(hot);
  await valueOf(await inbox.as("monitor"), "SELECT count(*) FROM omoide.generation_status");
  // One of them can't be copied, for the reason of a damaged page: the others are moved away from it.
  await inbox.admin.query("UPDATE omoide.waiting SET size = 3000");
  await inbox.admin.query(
    `CREATE FUNCTION omoide.damaged(bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
      IF $1 = ${ids[1]} THEN RAISE data_corrupted; END IF; RETURN true;
    END $$;
    GRANT EXECUTE ON FUNCTION omoide.damaged(bigint) TO omoide_owner;
    ALTER TABLE omoide.media_chunk ADD CONSTRAINT damaged CHECK (omoide.damaged(media_id)) NOT VALID`,
  );
  await recycle(hot);
  await inbox.admin.query("UPDATE omoide.generation SET quiet_since = '-infinity'");
  assert.deepEqual(await recycle(hot), { emptied: 0, moved: 9000 });
  assert.equal(await generationOf(inbox, ids[1] as string), 0);
  await requireWhole(inbox.admin);
});
