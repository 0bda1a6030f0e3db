import assert from "node:assert/strict";
import type { Connection } from "../../src/inbox/connect.ts";
import type { TestInbox } from "../support/postgres.ts";
import {
  acknowledge,
  inboxTest,
  refused,
  release,
  sha256,
  submit,
  valueOf,
} from "./support/inbox_test.ts";

const OWNER = "00000000-0000-4000-8000-0000000000aa";
const SUBMIT = "SELECT omoide.submit_media($1, gen_random_uuid(), 'content', 'jpg', $2)";

async function limit(inbox: TestInbox, settings: string): Promise<void> {
  await inbox.admin.query(`UPDATE omoide.settings SET ${settings}`);
}

async function stored(inbox: TestInbox): Promise<string> {
  return await valueOf(
    inbox.admin,
    "SELECT count(DISTINCT m.id) || '/' || count(c) || '/' || count(DISTINCT d.media_id) " +
      "FROM omoide.media m LEFT JOIN omoide.media_chunk c ON c.media_id = m.id " +
      "LEFT JOIN omoide.delivery d ON d.media_id = m.id AND d.storage_id = 1",
  ) as string;
}

inboxTest("a full inbox refuses, and takes again once it is drained", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  await limit(inbox, "max_inbox_bytes = 100000");
  const content = "x".repeat(40_000);
  const ids = [await submit(app, content), await submit(app, content)];
  await refused(app, "OM001", SUBMIT, [OWNER, content], /80000 of 100000/);
  assert.equal(await stored(inbox), "2/2/2");
  for (const worker of [hot, cold]) await acknowledge(worker, ids, content);
  assert.equal(await release(cold, ids), 2);
  await submit(app, content);
});

inboxTest(
  "the chunks' files may not grow over their limit, whatever is committed",
  async (inbox) => {
    const app = await inbox.as("app");
    await limit(inbox, "max_inbox_disk_bytes = 1800000");
    await app.query("BEGIN");
    const content = new Uint8Array(262_144);
    await app.query("SAVEPOINT s");
    const opened = await valueOf(app, "SELECT omoide.open_media($1, $1, 'content', 'jpg')", [
      OWNER,
    ]);
    for (let seq = 0; seq < 6; seq++) {
      await app.query("SELECT omoide.append_chunk($1, $2, $3)", [opened, seq, content]);
    }
    await refused(
      app,
      "OM001",
      "SELECT omoide.append_chunk($1, 6, $2)",
      [opened, content],
      /files/,
    );
    // Dead rows are bytes on the disk too, until a worker looks.
    await app.query("ROLLBACK");
    await refused(app, "OM001", SUBMIT, [OWNER, content], /files/);
    await (await inbox.as("hot")).query("SELECT omoide.recycle(true)");
    await app.query(SUBMIT, [OWNER, content]);
  },
);

inboxTest("one media has a largest size, by every way in", async (inbox) => {
  const app = await inbox.as("app");
  await limit(inbox, "max_media_bytes = 300000");
  await refused(app, "OM002", SUBMIT, [OWNER, new Uint8Array(300_001)]);
  await app.query(SUBMIT, [OWNER, new Uint8Array(300_000)]);
  await app.query("BEGIN");
  const id = await valueOf(app, "SELECT omoide.open_media($1, $1, 'content', 'jpg')", [OWNER]);
  await app.query("SELECT omoide.append_chunk($1, 0, $2)", [id, new Uint8Array(262_144)]);
  await refused(app, "OM002", "SELECT omoide.append_chunk($1, 1, $2)", [
    id,
    new Uint8Array(37_857),
  ]);
  await app.query("ROLLBACK");
  await app.query("BEGIN");
  const far = await valueOf(app, "SELECT omoide.open_media($1, $1, 'content', 'jpg')", [OWNER]);
  await refused(app, "OM002", "SELECT omoide.append_chunk($1, 2147483647, 'x')", [far]);
  await app.query("ROLLBACK");
});

inboxTest("an owner has so many bytes and media a day, and others go on", async (inbox) => {
  const app = await inbox.as("app");
  await limit(inbox, "owner_bytes_per_day = 20000");
  await submit(app, "x".repeat(10_000), OWNER);
  await refused(app, "OM003", SUBMIT, [OWNER, "x".repeat(10_001)], /per day/);
  await submit(app, "x".repeat(10_000), OWNER);
  await refused(app, "OM003", SUBMIT, [OWNER, "x"]);
  await submit(app, "x".repeat(10_000));
  await limit(inbox, "owner_bytes_per_day = 1000000, owner_media_per_day = 3");
  await submit(app, "x", OWNER);
  await refused(app, "OM003", SUBMIT, [OWNER, "x"]);
  assert.equal(await stored(inbox), "4/4/4");
});

inboxTest("all owners together have so many bytes and media a day", async (inbox) => {
  const app = await inbox.as("app");
  await limit(inbox, "all_media_per_day = 3");
  for (let n = 0; n < 3; n++) await submit(app, "x");
  await refused(app, "OM004", SUBMIT, [OWNER, "x"]);
  await limit(inbox, "all_media_per_day = 100, all_bytes_per_day = 13000");
  // Each of the three was charged 4 KiB.
  await refused(app, "OM004", SUBMIT, [OWNER, "x"]);
});

inboxTest(
  "an empty media costs its owner 4 KiB, so inodes cannot be had for nothing",
  async (inbox) => {
    const app = await inbox.as("app");
    await limit(inbox, "owner_bytes_per_day = 10000");
    await submit(app, "", OWNER);
    await submit(app, "", OWNER);
    await refused(app, "OM003", SUBMIT, [OWNER, ""]);
  },
);

inboxTest("limits hold for media that come in chunks", async (inbox) => {
  const app = await inbox.as("app");
  await limit(inbox, "owner_media_per_day = 0");
  await app.query("BEGIN");
  const id = await valueOf(app, "SELECT omoide.open_media($1, $1, 'content', 'jpg')", [OWNER]);
  await refused(app, "OM003", "SELECT omoide.seal_media($1, 0, $2)", [id, sha256("")]);
  await app.query("ROLLBACK");
});

inboxTest("nothing is taken of a frozen owner, whichever way it comes", async (inbox) => {
  const app = await inbox.as("app");
  await app.query("BEGIN");
  const id = await valueOf(app, "SELECT omoide.open_media($1, $1, 'content', 'jpg')", [OWNER]);
  await inbox.admin.query("INSERT INTO omoide.frozen (owner_uuid) VALUES ($1)", [OWNER]);
  await refused(app, "OM007", "SELECT omoide.seal_media($1, 0, $2)", [id, sha256("")], /is frozen/);
  await app.query("ROLLBACK");
  await refused(app, "OM007", SUBMIT, [OWNER, "x"]);
  const open = "SELECT omoide.open_upload($2, $1, $1, 'content', 'jpg', 3)";
  await refused(app, "OM007", open, [OWNER, crypto.randomUUID()]);
  await submit(app, "x");
  await refused(app, "42501", "DELETE FROM omoide.frozen");
  await inbox.admin.query("DELETE FROM omoide.frozen");
  await submit(app, "x", OWNER);
});

inboxTest("a refused or rolled back submit is not charged", async (inbox) => {
  const app = await inbox.as("app");
  await limit(inbox, "owner_media_per_day = 1");
  for (let n = 0; n < 3; n++) {
    await app.query("BEGIN");
    await submit(app, "x", OWNER);
    await app.query("ROLLBACK");
  }
  await submit(app, "x", OWNER);
  await refused(app, "OM003", SUBMIT, [OWNER, "x"]);
});

for (const level of ["read committed", "repeatable read", "serializable"]) {
  inboxTest(`many sessions at once stay within a limit, under ${level}`, async (inbox) => {
    await limit(inbox, "owner_media_per_day = 100");
    const clients = await Promise.all(Array.from({ length: 8 }, () => inbox.as("app")));
    let accepted = 0;
    await Promise.all(clients.map(async (client) => {
      await client.query(`SET default_transaction_isolation = '${level}'`);
      while (await accepts(client)) accepted++;
    }));
    // Each may have added one that the others did not see yet.
    assert.ok(accepted >= 100 && accepted < 108, `${accepted} accepted`);
    const hot = await inbox.as("hot");
    await hot.query("SELECT * FROM omoide.sweep()");
    assert.equal(
      await valueOf(inbox.admin, "SELECT sum(media)::int FROM omoide.ledger WHERE account = $1", [
        OWNER,
      ]),
      accepted,
    );
    assert.ok(
      Number(await valueOf(inbox.admin, "SELECT count(*) FROM omoide.ledger")) <= 12,
      "the ledger is folded",
    );
    await refused(clients[0] as Connection, "OM003", SUBMIT, [OWNER, "x"]);
  });
}

inboxTest(
  "a session that holds its transaction open keeps nobody from submitting or releasing",
  async (inbox) => {
    const [app, other] = [await inbox.as("app"), await inbox.as("app")];
    const [hot, cold] = [await inbox.as("hot"), await inbox.as("cold")];
    const first = await submit(app, "x", OWNER);
    await app.query("BEGIN");
    await submit(app, "x", OWNER);
    for (const client of [other, hot, cold]) await client.query("SET lock_timeout = '1ms'");
    const second = await submit(other, "x", OWNER);
    for (const worker of [hot, cold]) await acknowledge(worker, [first, second], "x");
    assert.equal(await release(cold, [first, second]), 2);
    await hot.query("SELECT * FROM omoide.sweep()");
    await app.query("COMMIT");
  },
);

inboxTest("past days leave the ledger", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  await submit(app, "x", OWNER);
  await inbox.admin.query("UPDATE omoide.ledger SET day = day - 10 WHERE day > '-infinity'");
  await submit(app, "x", OWNER);
  await hot.query("SELECT * FROM omoide.sweep()");
  assert.equal(
    await valueOf(inbox.admin, "SELECT sum(media)::int FROM omoide.ledger WHERE day > '-infinity'"),
    2,
  );
  assert.equal(await valueOf(inbox.admin, "SELECT media FROM omoide.inbox_status"), "2");
});

async function accepts(client: Connection): Promise<boolean> {
  for (;;) {
    try {
      await client.query(SUBMIT, [OWNER, "x"]);
      return true;
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === "OM003") return false;
      if (code !== "40001") throw error;
    }
  }
}
