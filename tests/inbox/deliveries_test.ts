import assert from "node:assert/strict";
import type { Connection } from "../../src/inbox/connect.ts";
import { SCHEMA_VERSION as VERSION } from "../../src/inbox/schema_version.ts";
import { EVERY_SERVER } from "../support/postgres.ts";
import {
  acknowledge,
  identityOf,
  inboxTestOn,
  pendingIds,
  refused,
  release,
  rowsOf,
  sha256,
  submit,
  take,
  untilItWaits,
  valueOf,
} from "./support/inbox_test.ts";

const inboxTest = inboxTestOn(EVERY_SERVER);

const TAKE = "SELECT * FROM omoide.take_storage($1, $2, $3)";
const CHECK = "SELECT * FROM omoide.check_storage($1, $2, $3)";
const FAIL = "SELECT attempts, parked FROM omoide.report_failure($1, $2, $3)";
const START = "SELECT omoide.start_attempt($1, $2) AS id";
const CANCEL = "SELECT omoide.cancel_attempt($1, $2)";

async function beat(worker: Connection, life: unknown, state: string): Promise<void> {
  await worker.query(
    "SELECT omoide.heartbeat($1, '1', now(), $2, NULL, 1, 2, 3, 4, 5, 6, NULL)",
    [life, state],
  );
}

inboxTest("a storage is taken by one session at a time, and free when that ends", async (inbox) => {
  const [first, second] = [await inbox.as("hot"), await inbox.as("hot")];
  const identity = inbox.identities.hot;
  const [taken] = await rowsOf(first, TAKE, [VERSION, "hot", identity]);
  assert.deepEqual(taken, {
    ...{ storage_id: 1, prefix_size: 2, inbox: inbox.inbox, life: taken?.life },
    ...{ lanes: 1, mine: [0], unclean: [] },
  });
  await refused(second, "OM022", TAKE, [VERSION, "hot", identity]);
  const [held] = await rowsOf(second, CHECK, [VERSION, "hot", identity]);
  assert.deepEqual(held, {
    ...{ storage_id: 1, prefix_size: 2, inbox: inbox.inbox, held: true, lanes: 1 },
  });
  const cold = await inbox.as("cold");
  assert.equal(
    (await rowsOf(cold, CHECK, [VERSION, "cold", inbox.identities.cold]))[0]?.held,
    false,
  );
  await first.end();
  for (;;) {
    const [free] = await rowsOf(second, CHECK, [VERSION, "hot", identity]);
    if (free?.held === false) break;
  }
  await second.query(TAKE, [VERSION, "hot", identity]);
});

inboxTest("a storage is refused with what is wrong and how to fix it", async (inbox) => {
  const [hot, app] = [await inbox.as("hot"), await inbox.as("app")];
  const { hot: identity, cold: other } = inbox.identities;
  const olderWorker = new RegExp(`version ${VERSION - 1} .* version ${VERSION}`);
  const newerWorker = new RegExp(`version ${VERSION + 1}`);
  for (const call of [TAKE, CHECK]) {
    await refused(inbox.admin, "OM020", call, [VERSION, "hot", identity], /postgres/);
    await refused(app, "42501", call, [VERSION, "hot", identity]);
    await refused(hot, "OM020", call, [VERSION, "cold", other], /storage hot, not to 'cold'/);
    await refused(hot, "OM025", call, [VERSION - 1, "hot", identity], olderWorker);
    await refused(hot, "OM025", call, [VERSION + 1, "hot", identity], newerWorker);
    await refused(hot, "OM021", call, [VERSION, "hot", other], /identity/);
    await refused(hot, "OM021", call, [VERSION, "hot", null], /identity/);
  }
  await hot.query("SELECT omoide.distrust('fsync: EIO')");
  for (const call of [TAKE, CHECK]) {
    await refused(hot, "OM023", call, [VERSION, "hot", identity], /fsync: EIO/);
  }
  await inbox.admin.query("UPDATE omoide.storage SET retired_at = now() WHERE name = 'hot'");
  for (const call of [TAKE, CHECK]) {
    await refused(hot, "OM024", call, [VERSION, "hot", other], /retired/);
  }
});

inboxTest("a worker that died while storing is told to the next", async (inbox) => {
  const identity = inbox.identities.hot;
  const unclean: unknown[] = [];
  for (const last of ["storing", "stopped", "paused", "stopped"]) {
    const worker = await inbox.as("hot");
    const [taken] = await rowsOf(worker, TAKE, [VERSION, "hot", identity]);
    unclean.push(taken?.unclean);
    await beat(worker, taken?.life, last);
    // One that stands by neither hides a death nor makes one up.
    await beat(await inbox.as("hot"), null, "standby");
    await worker.end();
    await inbox.admin.query(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'omoide_hot'",
    );
  }
  assert.deepEqual(unclean, [[], [0], [], []]);
});

inboxTest("checking a storage changes nothing", async (inbox) => {
  const hot = await inbox.as("hot");
  await hot.query("BEGIN READ ONLY");
  await hot.query(CHECK, [VERSION, "hot", inbox.identities.hot]);
  await hot.query("COMMIT");
});

inboxTest(
  "taking a storage makes the server find a dead client within half a minute",
  async (inbox) => {
    const hot = await inbox.as("hot");
    await hot.query(TAKE, [VERSION, "hot", inbox.identities.hot]);
    const show = async (name: string) =>
      Number.parseInt(String(await valueOf(hot, `SHOW ${name}`)));
    const seconds = await show("tcp_keepalives_idle") +
      await show("tcp_keepalives_interval") * await show("tcp_keepalives_count");
    assert.ok(seconds > 0 && seconds <= 30, `${seconds} s`);
    assert.match(String(await valueOf(hot, "SHOW tcp_user_timeout")), /^30(s|000)/);
  },
);

inboxTest("pending goes through what is owed, by id and in pages", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push(await submit(app, "x"));
  assert.deepEqual(await pendingIds(hot, "0", 2), ids.slice(0, 2));
  assert.deepEqual(await pendingIds(hot, ids[1], 2), ids.slice(2, 4));
  await hot.query(FAIL, [ids[0], "later", false]);
  await hot.query(FAIL, [ids[1], "never", true]);
  assert.deepEqual(await pendingIds(hot), ids.slice(2));
});

inboxTest("a failing media is tried again after growing pauses and then parked", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const id = await submit(app);
  const pauses: unknown[] = [];
  for (let attempt = 1; attempt <= 6; attempt++) {
    const [answer] = await rowsOf(hot, FAIL, [id, `failure ${attempt}`, false]);
    assert.deepEqual(answer, { attempts: attempt, parked: attempt === 6 });
    pauses.push(
      await valueOf(
        hot,
        "SELECT round(extract(epoch FROM next_attempt_in))::int FROM omoide.sweep()",
      ),
    );
  }
  assert.deepEqual(pauses, [5, 20, 80, 320, 1280, null]);
  assert.deepEqual(await rowsOf(hot, FAIL, [id, "again", false]), []);
  const [owed] = await rowsOf(
    inbox.admin,
    "SELECT attempts, last_error, parked_at IS NOT NULL AS parked FROM omoide.owed WHERE storage = 'hot'",
  );
  assert.deepEqual(owed, { attempts: 6, last_error: "failure 6", parked: true });
  assert.deepEqual(await pendingIds(cold), [id]);
});

inboxTest("a media whose bytes are bad is parked at once", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const id = await submit(app);
  assert.deepEqual(await rowsOf(hot, FAIL, [id, "wrong checksum", true]), [
    { attempts: 1, parked: true },
  ]);
});

inboxTest("a media that kills the worker each time is parked", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const [deadly, harmless] = [await submit(app, "x"), await submit(app, "x")];
  const lives: unknown[][] = [];
  for (let life = 1; life <= 7; life++) {
    lives.push((await rowsOf(hot, START, [[deadly], await take(hot)])).map((row) => row.id));
  }
  assert.deepEqual(lives, [...Array(6).fill([deadly]), []]);
  const [owed] = await rowsOf(
    inbox.admin,
    "SELECT last_error FROM omoide.owed WHERE parked_at IS NOT NULL",
  );
  assert.match(String(owed?.last_error), /the worker died 6 times while storing this media/);
  assert.deepEqual(await pendingIds(hot), [harmless]);
});

inboxTest("an attempt that was counted before it was made is not counted twice", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const id = await submit(app);
  const life = await take(hot);
  // Paused and gone on: the same attempt.
  for (let n = 0; n < 10; n++) assert.equal((await rowsOf(hot, START, [[id], life])).length, 1);
  assert.deepEqual(await rowsOf(hot, FAIL, [id, "failed", false]), [{
    attempts: 1,
    parked: false,
  }]);
  await hot.query(START, [[id], life]);
  assert.deepEqual(await rowsOf(hot, FAIL, [id, "failed", false]), [{
    attempts: 2,
    parked: false,
  }]);
});

inboxTest("an attempt that ended with the storage's own trouble is taken back", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const id = await submit(app);
  const attempts = () =>
    valueOf(inbox.admin, "SELECT attempts FROM omoide.delivery WHERE storage_id = 1");
  const life = await take(hot);
  await hot.query(FAIL, [id, "failed", false]);
  // Nothing was counted ahead: a failure stays.
  await hot.query(CANCEL, [[id], life]);
  assert.equal(await attempts(), 1);
  await hot.query(START, [[id], life]);
  assert.equal(await attempts(), 2);
  await cold.query(CANCEL, [[id], life]);
  assert.equal(await attempts(), 2);
  for (let n = 0; n < 2; n++) await hot.query(CANCEL, [[id], life]);
  assert.equal(await attempts(), 1);
});

inboxTest("a clock that was set back puts off nothing for longer than an hour", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const id = await submit(app);
  await hot.query(FAIL, [id, "failed", false]);
  assert.deepEqual(await pendingIds(hot), []);
  await inbox.admin.query(
    "UPDATE omoide.delivery SET next_attempt_at = next_attempt_at + interval '10 years'",
  );
  assert.deepEqual(await pendingIds(hot), [id]);
});

inboxTest(
  "an id that came again after a restore is never acknowledged for other bytes",
  async (inbox) => {
    const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
    const before = await submit(app, "before the restore");
    // What a restore of an older backup does: the rows are gone and the ids begin again.
    await inbox.admin.query(
      "DELETE FROM omoide.media; DELETE FROM omoide.waiting; DELETE FROM omoide.media_chunk; DELETE FROM omoide.delivery; " +
        "ALTER SEQUENCE omoide.media_id_seq RESTART",
    );
    assert.deepEqual(await acknowledge(hot, [before], "before the restore"), ["unknown"]);
    const after = await submit(app, "after the restore");
    assert.equal(after, before);
    assert.deepEqual(await acknowledge(hot, [before], "before the restore"), ["mismatch"]);
    assert.deepEqual(await pendingIds(hot), [after]);
    assert.equal(await valueOf(inbox.admin, "SELECT count(*) FROM omoide.stored"), "0");
    assert.deepEqual(await acknowledge(hot, [after], "after the restore"), ["acknowledged"]);
  },
);

inboxTest("each row of an acknowledgement has its own result", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const [good, wrongSize, again] = [await submit(app), await submit(app), await submit(app)];
  await acknowledge(hot, [again]);
  const sum = sha256("a picture");
  const rows = await rowsOf(
    hot,
    "SELECT media_id, result FROM omoide.acknowledge($1, $2, $3, $4, $5, $6)",
    [
      await identityOf(hot),
      [good, wrongSize, again, "999", null, good],
      [sum, sum, sum, sum, sum, sum],
      [9, 10, 9, 9, 9, 9],
      Array(6).fill("renamed"),
      Array(6).fill(null),
    ],
  );
  assert.deepEqual(rows.map(({ result }) => result), [
    "acknowledged",
    "mismatch",
    "repeated",
    "unknown",
    "unknown",
    "acknowledged",
  ]);
  assert.deepEqual(await pendingIds(hot), [wrongSize]);
});

inboxTest(
  "of two sessions that acknowledge the same media at once, one makes its receipt",
  async (inbox) => {
    const [app, first, second] = [
      await inbox.as("app"),
      await inbox.as("hot"),
      await inbox.as("hot"),
    ];
    const ids = [await submit(app), await submit(app), await submit(app)];
    await first.query("BEGIN");
    assert.deepEqual(await acknowledge(first, ids.slice(0, 2)), ["acknowledged", "acknowledged"]);
    const late = acknowledge(second, ids);
    await untilItWaits(inbox, late);
    await first.query("COMMIT");
    assert.deepEqual(await late, ["acknowledged", "acknowledged", "acknowledged"]);
    assert.deepEqual(
      await rowsOf(inbox.admin, "SELECT media_id FROM omoide.stored ORDER BY media_id"),
      ids.map((media_id) => ({ media_id })),
    );
    assert.deepEqual(await pendingIds(first), []);
  },
);

inboxTest(
  "a lost answer to an acknowledgement may be asked for again, also after the release",
  async (inbox) => {
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const id = await submit(app);
    for (const worker of [hot, cold]) await acknowledge(worker, [id]);
    assert.deepEqual(await acknowledge(hot, [id]), ["repeated"]);
    assert.equal(await release(hot, [id]), 1);
    assert.deepEqual(await acknowledge(hot, [id]), ["repeated"]);
    assert.equal(await release(hot, [id]), 0);
  },
);

inboxTest(
  "a receipt has outcome and path, and no path but the two that its media may have",
  async (inbox) => {
    const app = await inbox.as("app");
    const [owner, item] = [crypto.randomUUID(), crypto.randomUUID()];
    const id = await submit(app, "a picture", owner, item);
    const [hot, cold] = [await inbox.as("hot"), await inbox.as("cold")];
    const ack =
      "SELECT result FROM omoide.acknowledge($5, ARRAY[$1::int8], ARRAY[$2::bytea], '{9}', ARRAY[$3], ARRAY[$4])";
    const sum = sha256("a picture");
    const directory = `content/${owner}/${item.slice(0, 2)}`;
    const other = `${directory}/${item}~${sum.toHex()}.jpg`;
    for (
      const path of [
        ...["/etc/passwd", "../x", "a/../b", "a//b", "a/", "a\nb", "..", "", "content/v/passwd"],
        ".omoide/storage.json",
        `${directory}/${item}.jpg`,
        `${directory}/${item}~${"0".repeat(64)}.jpg`,
        other.replace("/content", "content").replace(owner, crypto.randomUUID()),
        other.replace("content", "preview"),
        `${other}x`,
      ]
    ) {
      for (const outcome of ["stored", "present", "renamed"]) {
        const values = [id, sum, outcome, path, inbox.identities.hot];
        assert.deepEqual(await rowsOf(hot, ack, values), [{ result: "mismatch" }], path);
      }
    }
    await refused(hot, "22P02", ack, [id, sum, "dropped", null, inbox.identities.hot]);
    assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.stored"), 0);
    await hot.query(ack, [id, sum, "renamed", other, inbox.identities.hot]);
    await cold.query(ack, [id, sum, "stored", null, inbox.identities.cold]);
    assert.deepEqual(
      await rowsOf(
        inbox.admin,
        "SELECT storage, outcome, path FROM omoide.receipt ORDER BY storage",
      ),
      [
        {
          storage: "cold",
          outcome: "stored",
          path: `${directory}/${item}.jpg`,
        },
        { storage: "hot", outcome: "renamed", path: other },
      ],
    );
  },
);
