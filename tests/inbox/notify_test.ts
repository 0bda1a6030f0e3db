import assert from "node:assert/strict";
import { type Connection } from "../../src/inbox/connect.ts";
import type { TestInbox } from "../support/postgres.ts";
import { inboxTest, pendingIds, submit, valueOf } from "./support/inbox_test.ts";

/** A worker's connection that counts what it is notified of. */
async function listener(inbox: TestInbox, storage: string) {
  const connection = await inbox.as(storage);
  await connection.query("LISTEN omoide_sealed");
  let heard = 0;
  connection.on("notification", () => heard++);
  return {
    connection,
    fallAsleep: async () => await valueOf(connection, "SELECT omoide.fall_asleep()"),
    stayAwake: async () => void await connection.query("SELECT omoide.stay_awake()"),
    /** A round trip brings every notification that was committed before it. */
    heard: async () => {
      await connection.query("SELECT");
      return heard;
    },
  };
}

inboxTest("only a worker that sleeps is notified", async (inbox) => {
  const app = await inbox.as("app");
  const [hot, cold] = [await listener(inbox, "hot"), await listener(inbox, "cold")];
  await submit(app);
  assert.deepEqual([await hot.heard(), await cold.heard()], [0, 0]);
  // Something is due, so nobody sleeps.
  assert.equal(await cold.fallAsleep(), false);
  await inbox.admin.query("DELETE FROM omoide.delivery");
  assert.equal(await cold.fallAsleep(), true);
  await submit(app);
  assert.equal(await cold.heard(), 1);
  await cold.stayAwake();
  await submit(app);
  assert.equal(await cold.heard(), 1);
  // One that died asleep is nobody's burden.
  await inbox.admin.query("DELETE FROM omoide.delivery");
  const gone = await listener(inbox, "hot");
  assert.equal(await gone.fallAsleep(), true);
  const pid = await valueOf(gone.connection, "SELECT pg_backend_pid()");
  await gone.connection.end();
  while (await isThere(inbox.admin, pid));
  await submit(app);
  assert.equal(await cold.heard(), 1);
});

async function isThere(admin: Connection, pid: unknown): Promise<boolean> {
  return await valueOf(admin, "SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1", [
    pid,
  ]) === 1;
}

for (const level of ["read committed", "repeatable read", "serializable"]) {
  inboxTest(
    `whatever is not notified is seen before a worker sleeps, under ${level}`,
    async (inbox) => {
      const [slow, quick] = [await inbox.as("app"), await inbox.as("app")];
      const hot = await listener(inbox, "hot");
      await slow.query(`BEGIN ISOLATION LEVEL ${level}`);
      // A snapshot from before the worker sleeps for the first time.
      await slow.query("SELECT omoide.find_media(gen_random_uuid(), gen_random_uuid())");
      assert.equal(await hot.fallAsleep(), true);
      await hot.stayAwake();
      const first = await submit(slow);
      // It counts on the worker, which therefore stays awake, also when another commits before.
      assert.equal(await hot.fallAsleep(), false);
      await submit(quick);
      assert.equal(await hot.fallAsleep(), false);
      await slow.query("COMMIT");
      assert.equal(await hot.heard(), 0);
      assert.equal(await hot.fallAsleep(), false);
      assert.ok((await pendingIds(hot.connection)).includes(first));
      await inbox.admin.query("DELETE FROM omoide.delivery");
      assert.equal(await hot.fallAsleep(), true);

      // And the other way round: who meets it asleep notifies, whenever it commits.
      await slow.query(`BEGIN ISOLATION LEVEL ${level}`);
      await submit(slow);
      await hot.stayAwake();
      assert.equal(await hot.fallAsleep(), true);
      await hot.stayAwake();
      await slow.query("COMMIT");
      assert.equal(await hot.heard(), 1);
    },
  );
}

inboxTest(
  "a submit that is undone keeps no worker awake, the others of its transaction do",
  async (inbox) => {
    const app = await inbox.as("app");
    const hot = await listener(inbox, "hot");
    await app.query("BEGIN; SAVEPOINT s");
    await submit(app);
    assert.equal(await hot.fallAsleep(), false);
    await app.query("ROLLBACK TO s");
    assert.equal(await hot.fallAsleep(), true);
    await hot.stayAwake();
    await submit(app);
    await app.query("SAVEPOINT t");
    await submit(app);
    await app.query("ROLLBACK TO t");
    assert.equal(await hot.fallAsleep(), false);
    await app.query("COMMIT");
    assert.equal((await pendingIds(hot.connection)).length, 1);
    await inbox.admin.query("DELETE FROM omoide.delivery");
    assert.equal(await hot.fallAsleep(), true);
  },
);
