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
import { inboxTest, rowsOf, sha256, valueOf } from "./support/inbox_test.ts";

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
