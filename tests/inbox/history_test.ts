/** What the inbox keeps of how each storage has been: written by heartbeats, counted and trimmed by sweeps. */
import assert from "node:assert/strict";
import type { Connection } from "../../src/inbox/connect.ts";
import {
  acknowledge,
  inboxTest,
  pendingIds,
  rowsOf,
  submit,
  take,
  valueOf,
} from "./support/inbox_test.ts";

interface Beat {
  readonly media?: number;
  readonly bytes?: number;
  readonly state?: string;
  readonly free?: number | null;
}

async function beat(worker: Connection, life: string, given: Beat): Promise<void> {
  const { media = 0, bytes = 0, state = "idle", free = 500 } = given;
  await worker.query(
    "SELECT omoide.heartbeat($1, '1', now(), $2, NULL, $3, 1000, 1, 1, $4, $5, NULL)",
    [life, state, free, media, bytes],
  );
}

inboxTest(
  "a storage's minutes and hours add up what its workers stored, one after the other",
  async (inbox) => {
    const hot = await inbox.as("hot");
    const life = await take(hot);
    await beat(hot, life, { media: 5, bytes: 50 });
    await beat(hot, life, { media: 7, bytes: 70, free: 400 });
    // Another session: it counts from nothing.
    await beat(hot, await take(hot), {
      media: 3,
      bytes: 30,
      free: null,
      state: "paused",
    });
    for (const span of ["minute", "hour"]) {
      const rows = await rowsOf(
        inbox.admin,
        "SELECT sum(stored_media)::int AS media, sum(stored_bytes)::int AS bytes, count(*)::int AS rows, " +
          "(array_agg(state ORDER BY at DESC))[1] AS state, (array_agg(free_bytes ORDER BY at DESC))[1] AS free " +
          "FROM omoide.history WHERE storage = 'hot' AND span = $1",
        [span],
      );
      const [{ rows: count = 0, free, ...sums } = {}] = rows;
      assert.deepEqual(sums, { media: 10, bytes: 100, state: "paused" });
      // The test may go over the end of a minute.
      assert.ok(Number(count) <= 2, `${count} rows`);
      assert.ok(free === "400" || free === null, `${free}`);
    }
  },
);

inboxTest(
  "a worker's lie neither overflows a sum nor lowers one, and is in its own storage's rows",
  async (inbox) => {
    const hot = await inbox.as("hot");
    const life = await take(hot);
    for (const bytes of [2 ** 53, 0, 2 ** 53]) await beat(hot, life, { media: 5, bytes });
    const rows = await rowsOf(
      inbox.admin,
      "SELECT storage, sum(stored_bytes)::text AS bytes FROM omoide.history WHERE span = 'hour' GROUP BY 1",
    );
    assert.deepEqual(rows, [{ storage: "hot", bytes: String(2 * 2 ** 40) }]);
  },
);

inboxTest("a sweep adds what is owed, and since when", async (inbox) => {
  const hot = await inbox.as("hot"), app = await inbox.as("app");
  for (let i = 0; i < 3; i++) await submit(app);
  const [first = ""] = await pendingIds(hot);
  await acknowledge(hot, [first]);
  await beat(hot, await take(hot), {});
  await hot.query("SELECT omoide.sweep()");
  const rows = await rowsOf(
    inbox.admin,
    "SELECT DISTINCT owed, oldest_sealed_at = (SELECT min(sealed_at) FROM omoide.media WHERE id <> $1) " +
      "AS is_oldest FROM omoide.history WHERE storage = 'hot' AND owed IS NOT NULL",
    [first],
  );
  assert.deepEqual(rows, [{ owed: "2", is_oldest: true }]);
});

inboxTest(
  "minutes go after two days, hours after a year, and those of the future at once",
  async (inbox) => {
    await inbox.admin.query(
      `INSERT INTO omoide.measurement (storage_id, span, at, stored_media, stored_bytes, state)
    SELECT s.id, g.span, now() + g.age, 1, 1, 'idle' FROM omoide.storage s, (VALUES
      ('minute', interval '-49 hours'), ('minute', '-47 hours'), ('minute', '2 hours'),
      ('hour', '-367 days'), ('hour', '-364 days'), ('hour', '1 day')) AS g (span, age)`,
    );
    const hot = await inbox.as("hot");
    await hot.query("SELECT omoide.sweep()");
    const kept = await rowsOf(
      inbox.admin,
      "SELECT storage, span FROM omoide.history ORDER BY storage, span, at",
    );
    assert.deepEqual(kept.filter(({ storage }) => storage === "hot"), [
      { storage: "hot", span: "hour" },
      { storage: "hot", span: "minute" },
    ]);
    assert.equal(kept.length, 8, "what another storage has kept is its own worker's");
  },
);

inboxTest(
  "a retired storage has no history, and only the monitor and superusers see any",
  async (inbox) => {
    const hot = await inbox.as("hot"),
      monitor = await inbox.as("monitor"),
      app = await inbox.as("app");
    await beat(hot, await take(hot), { media: 1, bytes: 1 });
    const ask = "SELECT count(*)::int FROM omoide.history";
    assert.equal(await valueOf(monitor, ask), 2);
    for (const other of [hot, app]) {
      await assert.rejects(other.query(ask), /permission denied/);
    }
    await assert.rejects(monitor.query("SELECT FROM omoide.measurement"), /permission denied/);
    await inbox.admin.query("UPDATE omoide.storage SET retired_at = now() WHERE name = 'hot'");
    assert.equal(await valueOf(monitor, ask), 0);
  },
);
