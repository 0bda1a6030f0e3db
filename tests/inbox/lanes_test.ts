/** How the lanes of a storage are shared out, by sessions that are workers to the inbox. */
import assert from "node:assert/strict";
import { setLanes } from "../../src/inbox/admin/lanes.ts";
import { askStatus } from "../../src/inbox/status/ask_status.ts";
import { laneGroups, showLaneGroup } from "../../src/verdict/lane_groups.ts";
import { metricsOf } from "../../src/monitor/metrics.ts";
import { judge } from "../../src/verdict/verdict.ts";
import { withCounts } from "../../src/inbox/status/status.ts";
import { holdInInbox } from "../../src/inbox/admin/storages.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { SCHEMA_VERSION } from "../../src/inbox/schema_version.ts";
import type { TestInbox } from "../support/postgres.ts";
import { identityOf, inboxTest, refused, rowsOf, submit, valueOf } from "./support/inbox_test.ts";

const SILENT = new URL("../../src/inbox/schema/functions/silent_workers.sql", import.meta.url);
const TAKE = "SELECT life, lanes, mine, unclean FROM omoide.take_storage($1, $2, $3, $4)";

/** A worker, as far as the inbox sees one. */
class Session {
  life = "";
  lanes = 0;
  mine: number[] = [];
  unclean: number[] = [];

  private constructor(
    readonly connection: Connection,
    readonly storage: string,
    readonly process: string,
  ) {}

  static async open(inbox: TestInbox, storage = "hot", process: string = crypto.randomUUID()) {
    const session = new Session(await inbox.as(storage), storage, process);
    await session.take();
    return session;
  }

  async take(): Promise<void> {
    const [row] = await rowsOf<
      { life: string; lanes: number; mine: number[]; unclean: number[] }
    >(this.connection, TAKE, await argumentsFor(this.connection, this.storage, this.process));
    Object.assign(this, row);
  }

  async isDue(): Promise<boolean> {
    const values = [this.lanes, this.mine.length];
    return await valueOf(this.connection, "SELECT omoide.lanes_due($1, $2)", values) === true;
  }

  /** Takes and gives, as it is due. */
  async settle(): Promise<void> {
    const [row] = await rowsOf<{ mine: number[] | null; unclean: number[] }>(
      this.connection,
      "SELECT mine, unclean FROM omoide.take_lanes($1, $2, $3)",
      [this.lanes, this.life, this.process],
    );
    this.mine = row?.mine ?? [];
    this.unclean = row?.unclean ?? [];
  }

  async beat(state: string): Promise<unknown> {
    return await valueOf(
      this.connection,
      "SELECT omoide.heartbeat($1, '1', now(), $2, NULL, 1, 2, 3, 4, 0, 0, NULL)",
      [this.life, state],
    );
  }

  async pending(): Promise<string[]> {
    const rows = await rowsOf<{ media_id: string }>(
      this.connection,
      "SELECT media_id FROM omoide.pending(0, 1000, $1, $2)",
      [this.lanes, this.mine],
    );
    return rows.map(({ media_id }) => media_id);
  }

  /** Ends, and waits until the server has seen it. */
  async end(admin: Connection): Promise<void> {
    const pid = await valueOf(this.connection, "SELECT pg_backend_pid()");
    await this.connection.end();
    const count = "SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1";
    while (await valueOf(admin, count, [pid]) !== 0);
  }
}

async function argumentsFor(connection: Connection, storage: string, process: string) {
  return [SCHEMA_VERSION, storage, await identityOf(connection), process];
}

/** Lets each settle until nothing is due to any. @throws if that never comes */
async function settleAll(sessions: readonly Session[]): Promise<void> {
  for (let round = 0; round < 10; round++) {
    let due = false;
    for (const session of sessions) {
      if (!await session.isDue()) continue;
      due = true;
      await session.settle();
      assertDisjoint(sessions);
    }
    if (!due) return;
  }
  assert.fail("lanes went round and round");
}

function assertDisjoint(sessions: readonly Session[]): void {
  const all = sessions.flatMap(({ mine }) => mine);
  assert.equal(new Set(all).size, all.length, `two have one lane: ${all}`);
}

function counts(sessions: readonly Session[]): number[] {
  return sessions.map(({ mine }) => mine.length).sort().reverse();
}

async function setTo(inbox: TestInbox, lanes: number, storage = "hot"): Promise<void> {
  await setLanes(administration(inbox), storage, lanes);
}

function administration(inbox: TestInbox) {
  return {
    ...{ connection: inbox.admin, uuid: inbox.inbox, minCopies: 2 },
    connectAgain: () => inbox.as("postgres"),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

inboxTest("workers share a storage's lanes evenly, as they come and go", async (inbox) => {
  await setTo(inbox, 8);
  const first = await Session.open(inbox);
  assert.deepEqual(first.mine, [0, 1, 2, 3, 4, 5, 6, 7]);
  const sessions = [first];
  for (const shares of [[4, 4], [3, 3, 2], [2, 2, 2, 2]]) {
    const next = await Session.open(inbox);
    assert.deepEqual(next.mine, [], "what another has is taken from nobody");
    sessions.push(next);
    await settleAll(sessions);
    assert.deepEqual(counts(sessions), shares);
  }
  const kept = sessions.map(({ mine }) => [...mine]);
  await sessions.pop()?.end(inbox.admin);
  await settleAll(sessions);
  assert.deepEqual(counts(sessions), [3, 3, 2]);
  for (const [i, { mine }] of sessions.entries()) {
    assert.deepEqual(mine.slice(0, 2), kept[i], "no lane moves without need");
  }
  for (const session of sessions.splice(1)) await session.end(inbox.admin);
  await settleAll(sessions);
  assert.equal(first.mine.length, 8);
});

inboxTest("more workers than lanes stand by, and one takes what becomes free", async (inbox) => {
  await setTo(inbox, 2);
  const first = await Session.open(inbox);
  const second = await Session.open(inbox);
  await settleAll([first, second]);
  const third = await inbox.as("hot");
  const values = await argumentsFor(third, "hot", crypto.randomUUID());
  await refused(third, "OM022", TAKE, values, /other workers hold all lanes/);
  // It has left no trace: the two keep theirs.
  await settleAll([first, second]);
  assert.deepEqual(counts([first, second]), [1, 1]);
  await second.end(inbox.admin);
  const heir = await Session.open(inbox);
  assert.deepEqual(heir.mine, second.mine);
});

inboxTest(
  "lanes that are kept free for a worker which says nothing more go to those that work",
  async (inbox) => {
    await setTo(inbox, 2);
    const [first, stopped] = [await Session.open(inbox), await Session.open(inbox)];
    assert.deepEqual(stopped.mine, []);
    // The other gives it one, and it would take that, if its process had not been stopped.
    await first.settle();
    assert.deepEqual(counts([first, stopped]), [1, 0]);
    assert.ok(!await first.isDue(), "it may be just about to take it");
    const silent = await Deno.readTextFile(SILENT);
    const ended = new Promise((resolve) => stopped.connection.once("end", resolve));
    await inbox.admin.query(silent.replaceAll("interval '1 minute'", "interval '0'"));
    assert.ok(await first.isDue());
    await first.settle();
    await ended;
    await inbox.admin.query(silent);
    // It may have gone before that, or a moment later.
    if (await first.isDue()) await first.settle();
    assert.deepEqual(first.mine, [0, 1]);
  },
);

inboxTest("another number of lanes begins when all of the former are given back", async (inbox) => {
  const old = await Session.open(inbox);
  assert.equal(old.lanes, 1);
  await setTo(inbox, 3);
  assert.equal(await old.beat("storing"), 3);
  assert.ok(await old.isDue());
  const next = await inbox.as("hot");
  const values = await argumentsFor(next, "hot", crypto.randomUUID());
  await refused(next, "OM022", TAKE, values, /former number/);
  await old.settle();
  assert.deepEqual(old.mine, []);
  const [taken] = await rowsOf(next, TAKE, values);
  assert.deepEqual(taken?.mine, [0, 1, 2]);
  assert.deepEqual(taken?.unclean, [], "what was given back was given back in order");
  // And fewer again, though the one that had more is gone without a word.
  await next.end();
  await setTo(inbox, 2);
  let last: Session | null = null;
  while (last === null) last = await Session.open(inbox).catch(() => null);
  assert.deepEqual(last.mine, [0, 1]);
  const rows = await rowsOf(inbox.admin, "SELECT lane, lanes FROM omoide.worker ORDER BY lane");
  assert.deepEqual(rows, [{ lane: 0, lanes: 2 }, { lane: 1, lanes: 2 }]);
});

inboxTest(
  "a death while storing is told to whoever takes the lane, also under another number",
  async (inbox) => {
    await setTo(inbox, 2);
    const [dead, other] = [await Session.open(inbox), await Session.open(inbox)];
    await settleAll([dead, other]);
    await dead.beat("storing");
    await other.beat("storing");
    await dead.end(inbox.admin);
    await other.settle();
    assert.deepEqual(other.unclean, dead.mine);
    // The same process, its connection lost: it did not die.
    await other.beat("storing");
    await other.end(inbox.admin);
    const again = await Session.open(inbox, "hot", other.process);
    assert.deepEqual(again.unclean, []);
    await again.beat("storing");
    await again.end(inbox.admin);
    await setTo(inbox, 3);
    const heir = await Session.open(inbox);
    assert.deepEqual(heir.unclean, [0, 1, 2], "whatever killed it may be in any of these");
    await heir.beat("idle");
    await heir.end(inbox.admin);
    assert.deepEqual((await Session.open(inbox)).unclean, []);
  },
);

inboxTest("each media is pending in one lane, and wakes the worker of that one", async (inbox) => {
  await setTo(inbox, 3);
  const sessions = [await Session.open(inbox), await Session.open(inbox)];
  await settleAll(sessions);
  const heard = sessions.map(() => 0);
  for (const [i, { connection, lanes, mine }] of sessions.entries()) {
    connection.on("notification", () => heard[i] = (heard[i] ?? 0) + 1);
    await connection.query("LISTEN omoide_sealed");
    const values = [lanes, mine];
    assert.equal(await valueOf(connection, "SELECT omoide.fall_asleep($1, $2)", values), true);
  }
  const app = await inbox.as("app");
  const ids: string[] = [];
  for (let n = 0; n < 6; n++) ids.push(await submit(app));
  const pending = await Promise.all(sessions.map((session) => session.pending()));
  assert.deepEqual(pending.flat().sort(), ids.sort());
  for (const [i, { mine }] of sessions.entries()) {
    assert.ok(pending[i]?.every((id) => mine.includes(Number(BigInt(id) % 3n))));
  }
  for (const { connection } of sessions) await connection.query("SELECT");
  // Notifications go to all who listen; what matters is that each asleep made its own.
  assert.deepEqual(heard, [6, 6]);
  const [awake] = sessions as [Session];
  const values = [awake.lanes, awake.mine];
  await awake.connection.query("SELECT omoide.stay_awake($1, $2)", values);
  for (let n = 0; n < 3; n++) await submit(app);
  for (const { connection } of sessions) await connection.query("SELECT");
  assert.equal(heard[1], 6 + 3 - awake.mine.length);
});

inboxTest(
  "a tool excludes every worker, and every worker excludes a tool",
  async (inbox) => {
    await setTo(inbox, 2);
    const [first, second] = [await Session.open(inbox), await Session.open(inbox)];
    await settleAll([first, second]);
    assert.equal(await holdInInbox(administration(inbox), 1), false);
    await first.end(inbox.admin);
    assert.equal(await holdInInbox(administration(inbox), 1), false);
    await second.end(inbox.admin);
    assert.equal(await holdInInbox(administration(inbox), 1), true);
    const next = await inbox.as("hot");
    const values = await argumentsFor(next, "hot", crypto.randomUUID());
    await refused(next, "OM022", TAKE, values, /one of the administrator's tools holds/);
  },
);

inboxTest("a worker cannot take, give or name the lanes of another storage", async (inbox) => {
  await setTo(inbox, 64);
  await setTo(inbox, 64, "cold");
  const hot = await Session.open(inbox, "hot");
  // All of its own, whatever it says: none of them is one of cold's.
  for (const lanes of [1, 63, 65_536]) {
    const [row] = await rowsOf(hot.connection, "SELECT * FROM omoide.take_lanes($1, $2, NULL)", [
      lanes,
      hot.life,
    ]);
    assert.equal(row?.mine, null);
  }
  const cold = await Session.open(inbox, "cold");
  assert.equal(cold.mine.length, 64);
  await cold.beat("storing");
  const id = await submit(await inbox.as("app"));
  await hot.take();
  await rowsOf(
    hot.connection,
    "SELECT omoide.heartbeat($1, 'x', now(), 'stopped', 'x', " +
      "1, 2, 3, 4, 5, 6, 'x')",
    [cold.life],
  );
  await rowsOf(hot.connection, "SELECT omoide.start_attempt(ARRAY[$1::int8], $2)", [id, cold.life]);
  assert.equal(
    await valueOf(
      inbox.admin,
      "SELECT count(*)::int FROM omoide.worker WHERE storage_id = 2 AND state = 'storing'",
    ),
    64,
  );
  assert.deepEqual(
    await rowsOf(inbox.admin, "SELECT storage, attempts FROM omoide.owed ORDER BY storage"),
    [{ storage: "cold", attempts: 0 }, { storage: "hot", attempts: 1 }],
  );
  for (const call of ["give_lanes(2::smallint, 64, '{0}')", "lock_lanes(2::smallint)"]) {
    await refused(hot.connection, "42501", `SELECT omoide.${call}`);
  }
  assert.ok(!await cold.isDue());
});

inboxTest("a distrusted storage stops every worker of it", async (inbox) => {
  await setTo(inbox, 2);
  const [first, second] = [await Session.open(inbox), await Session.open(inbox)];
  await settleAll([first, second]);
  await first.connection.query("SELECT omoide.distrust('fsync: EIO')");
  assert.equal(await second.beat("idle"), 0);
  await refused(
    second.connection,
    "OM023",
    "SELECT * FROM omoide.take_lanes(2, $1, NULL)",
    [second.life],
    /fsync: EIO/,
  );
});

inboxTest(
  "status and monitor show each lane: who has it, how that is, what is owed",
  async (inbox) => {
    await setTo(inbox, 3);
    const first = await Session.open(inbox);
    const second = await Session.open(inbox);
    await settleAll([first, second]);
    await first.beat("storing");
    await second.beat("idle");
    for (let n = 0; n < 6; n++) await submit(await inbox.as("app"));
    await second.end(inbox.admin);
    const cheap = await askStatus(await inbox.as("monitor"));
    const status = withCounts(cheap, null);
    const [hot, cold] = status.storages;
    assert.deepEqual(cold?.lanes, []);
    assert.deepEqual(
      hot?.lanes.map(({ lane, state, owed }) => ({ lane, state, owed })),
      [0, 1, 2].map(
        (lane) => ({ lane, state: first.mine.includes(lane) ? "storing" : "idle", owed: 2 }),
      ),
    );
    const lines = laneGroups(hot?.lanes ?? []).map((each) => showLaneGroup(each, 3));
    const short = first.process.slice(0, 8);
    assert.match(
      lines[0] ?? "",
      new RegExp(
        `^lanes 0, 1 of 3: worker ${short}( at 127.0.0.1)?, storing, seen \\d+ s ago; owed 4 media$`,
      ),
    );
    await inbox.admin.query("UPDATE omoide.worker SET state = 'stopped' WHERE lane = 2");
    const later = withCounts(await askStatus(inbox.admin), null);
    const idle = laneGroups(later.storages[0]?.lanes ?? []).map((each) => showLaneGroup(each, 3));
    assert.equal(idle[1], "lane 2 of 3: nobody has it; owed 2 media");
    const verdict = judge(later);
    const text = await metricsOf({ status: later, verdict, counted: false, age: 1, error: null });
    assert.match(text, /omoide_lane_owed_media{storage="hot",lane="2"} 2/);
    assert.ok(verdict.attention.some((line) => /a worker of hot was stopped/.test(line)));
  },
);

inboxTest(
  "what is owed in each lane is counted among the oldest, however much it is",
  async (inbox) => {
    await setTo(inbox, 2);
    // 7,000 of lane 0, which is behind; then 20,000 of both.
    await inbox.admin.query(
      `INSERT INTO omoide.delivery (storage_id, media_id, size)
    SELECT s.id, i, 1 FROM omoide.storage s, (
      SELECT 2 * g FROM generate_series(1, 7000) g UNION ALL
      SELECT 20000 + g FROM generate_series(1, 20000) g
    ) AS ids (i) WHERE s.name = 'hot'`,
    );
    const { storages: [hot] } = withCounts(await askStatus(inbox.admin), null);
    assert.equal(hot?.owed, 27_000);
    assert.deepEqual(hot.lanes.map(({ owed }) => owed), [8_500, 1_500]);
    assert.deepEqual(laneGroups(hot.lanes).map((each) => showLaneGroup(each, 2)), [
      "lanes 0, 1 of 2: nobody has them; 10,000 of the 10,000 media owed longest",
    ]);
  },
);
