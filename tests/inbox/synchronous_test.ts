/** With synchronous replication nothing is acknowledged to the uploader that only the primary has. */
import assert from "node:assert/strict";
import { DatabaseUnavailableError } from "../../src/errors.ts";
import { ApplicationPool } from "../../src/inbox/application/pool.ts";
import { submitUnlessThere } from "../../src/inbox/application/small_media.ts";
import { submitMedia } from "../../src/inbox/application/submit.ts";
import { findUpload, finishUpload, openUpload } from "../../src/inbox/application/uploads.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { until } from "../lab/command.ts";
import type { TestInbox } from "../support/postgres.ts";
import {
  acknowledge,
  inboxTest,
  rowsOf,
  sha256,
  submit,
  take,
  valueOf,
} from "./support/inbox_test.ts";
import type { AdminInbox } from "../../src/inbox/admin/inbox.ts";
import { setLanes } from "../../src/inbox/admin/lanes.ts";
import { askStatus } from "../../src/inbox/status/ask_status.ts";
import { aged, withCounts } from "../../src/inbox/status/status.ts";
import { judge } from "../../src/verdict/verdict.ts";

const BYTES = new TextEncoder().encode("a picture");
const EMPTY = new Uint8Array();

const newMedia = () => ({
  ownerUuid: crypto.randomUUID(),
  itemUuid: crypto.randomUUID(),
  mediaType: "content" as const,
  ext: "jpg",
});

function poolOf({ pg, database }: TestInbox): ApplicationPool {
  return new ApplicationPool(parseDatabaseUrl(pg.url(database, "omoide_app"), ""), {}, 4);
}

/** From now on commits wait for a standby of this name; "" has them wait for none. */
async function waitFor({ admin }: TestInbox, standby: string): Promise<void> {
  await admin.query(`ALTER SYSTEM SET synchronous_standby_names = '${standby}'`);
  await admin.query("SELECT pg_reload_conf()");
  // The checkpointer tells everybody, after it has heard of it itself.
  await until(
    "it is in force",
    async () =>
      await valueOf(admin, "SELECT current_setting('synchronous_standby_names')") === standby,
  );
  await admin.query("CHECKPOINT");
}

/** The application's sessions whose commit waits for a standby. */
async function waiting({ admin }: TestInbox, count: number): Promise<number[]> {
  return await until("a commit waits for the standby", async () => {
    const rows = await rowsOf<{ pid: number }>(
      admin,
      "SELECT pid FROM pg_stat_activity WHERE usename = 'omoide_app' AND wait_event = 'SyncRep'",
    );
    return rows.length === count && rows.map(({ pid }) => pid);
  });
}

inboxTest(
  "a commit that gave up waiting for its standby is no acknowledgement, nor is what it left behind",
  async (inbox) => {
    await using pool = poolOf(inbox);
    const media = newMedia(), upload = { key: crypto.randomUUID(), ownerUuid: media.ownerUuid };
    await openUpload(pool, upload.key, { ...newMedia(), ownerUuid: media.ownerUuid }, 0);
    const submit = () => submitUnlessThere(pool, media, BYTES, sha256(BYTES));
    const finish = () => finishUpload(pool, upload, sha256(EMPTY));
    await waitFor(inbox, "nobody");
    try {
      const given = Promise.allSettled([submit(), finish()]);
      // As an administrator does whom a statement takes too long.
      for (const pid of await waiting(inbox, 2)) {
        await inbox.admin.query("SELECT pg_cancel_backend($1)", [pid]);
      }
      for (const outcome of await given) {
        assert.ok(outcome.status === "rejected", "it was acknowledged");
        assert.ok(outcome.reason instanceof DatabaseUnavailableError, String(outcome.reason));
        assert.match(outcome.reason.message, /gave up waiting for its synchronous standby/);
      }

      // Both can be seen by now, and each way of being told so waits.
      const again = { submit: submit(), finish: finish(), find: findUpload(pool, upload) };
      const answered: string[] = [];
      for (const [name, call] of Object.entries(again)) {
        call.then(() => answered.push(name), () => {});
      }
      await waiting(inbox, 3);
      assert.deepEqual(answered, []);
      await waitFor(inbox, "");
      assert.equal((await again.submit).existed, true);
      assert.equal((await again.finish).existed, false);
      assert.notEqual((await again.find)?.finished ?? null, null);
    } finally {
      await waitFor(inbox, "");
    }
  },
);

for (const weak of ["off", "local", "remote_write"]) {
  inboxTest(
    `a role whose default is synchronous_commit = ${weak} waits for the standby all the same`,
    async (inbox) => {
      await inbox.admin.query(`ALTER ROLE omoide_app SET synchronous_commit = '${weak}'`);
      await waitFor(inbox, "nobody");
      try {
        const app = await inbox.as("app");
        const submitted = submitMedia(app, newMedia(), BYTES);
        await waiting(inbox, 1);
        await waitFor(inbox, "");
        await submitted;
      } finally {
        await waitFor(inbox, "");
        await inbox.admin.query("ALTER ROLE omoide_app RESET synchronous_commit");
      }
    },
  );
}

inboxTest(
  "while commits wait for a standby, status says so, and both lanes' workers are seen",
  async (inbox) => {
    await setLanes({ connection: inbox.admin } as AdminInbox, "hot", 2);
    const app = await inbox.as("app");
    const ids = [await submit(app), await submit(app)];
    // Of each worker one session that beats, and one that acknowledges.
    const workers = [await inbox.as("hot"), await inbox.as("hot")];
    const lives: string[] = [];
    for (const worker of workers) lives.push(await take(worker));
    const settle = "SELECT mine FROM omoide.take_lanes(2, $1, NULL)";
    for (const n of [0, 1]) await workers[n]?.query(settle, [lives[n]]);
    const status = async () => withCounts(await askStatus(await inbox.as("monitor")), null);
    assert.equal((await status()).commitWaitAge, null);
    await inbox.admin.query("UPDATE omoide.worker SET seen_at = now() - interval '59 s'");
    await waitFor(inbox, "nobody");
    try {
      const acknowledging = [await inbox.as("hot"), await inbox.as("hot")];
      const receipts = acknowledging.map((session, n) => acknowledge(session, ids.slice(n, n + 1)));
      await until("both acknowledgements wait", async () =>
        await valueOf(
          inbox.admin,
          "SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'omoide_hot' AND wait_event = 'SyncRep'",
        ) === 2);
      const beat =
        "SELECT omoide.heartbeat($1, '1', now(), 'storing', NULL, 1, 2, 3, 4, 0, 0, NULL)";
      for (const n of [0, 1]) await workers[n]?.query(beat, [lives[n]]);
      const found = await status();
      assert.ok(found.commitWaitAge !== null);
      const [hot] = found.storages;
      assert.deepEqual(hot?.lanes.map(({ state, owed }) => ({ state, owed })), [
        { state: "storing", owed: 1 },
        { state: "storing", owed: 1 },
      ]);
      assert.ok(hot.lanes.every(({ seenAge }) => (seenAge ?? 60) < 59));
      const { attention } = judge(aged(found, 10));
      assert.ok(attention.some((line) => /waited for a synchronous standby/.test(line)));
      await waitFor(inbox, "");
      assert.deepEqual(await Promise.all(receipts), [["acknowledged"], ["acknowledged"]]);
      assert.equal((await status()).commitWaitAge, null);
    } finally {
      await waitFor(inbox, "");
    }
  },
);
