/** What an administrator does to move an owner, against uploads at the same moment, in orders that locks force. */
import assert from "node:assert/strict";
import type { AdminInbox } from "../../../src/inbox/admin/inbox.ts";
import { freezeOwner, ownersNotDrained, ownerState } from "../../../src/inbox/admin/owners.ts";
import {
  type HeldFile,
  IDS_AHEAD,
  rebuildReceipts,
} from "../../../src/inbox/admin/rebuild_receipts.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { until } from "../../lab/command.ts";
import type { TestInbox } from "../../support/postgres.ts";
import { inboxTest, refused, rowsOf, sha256, submit, valueOf } from "../support/inbox_test.ts";

const OPEN = "SELECT omoide.open_upload($1, $2, gen_random_uuid(), 'content', 'jpg', 0)";
const FINISH = "SELECT omoide.finish_upload($1, $2, sha256(''))";

/** The administrator's session, beside the one that looks on. */
async function administrator(inbox: TestInbox): Promise<AdminInbox> {
  const connection = await inbox.pg.connect(inbox.database);
  return { connection, uuid: inbox.inbox, minCopies: 2 } as AdminInbox;
}

/** Until a statement waits for a lock, or has ended without. */
async function untilItWaitsOrEnds({ admin }: TestInbox, statement: Promise<unknown>) {
  let isOver = false;
  const end = () => isOver = true;
  statement.then(end, end);
  const waits = "SELECT EXISTS (SELECT FROM pg_stat_activity " +
    "WHERE datname = current_database() AND wait_event_type = 'Lock')";
  while (!isOver && await valueOf(admin, waits) === false);
}

/** Whether everything says that nothing of this owner is in the inbox or can still come. */
async function isDrained(inbox: AdminInbox, owner: string): Promise<boolean> {
  const { earlier, waiting, uploads } = await ownerState(inbox, owner);
  const isShown = earlier + waiting + uploads === 0;
  const isBelieved = (await ownersNotDrained(inbox, [owner])).length === 0;
  assert.equal(isShown, isBelieved, "`owner show` and `storage purge` do not agree");
  return isShown;
}

function file(owner: string, item: string, bytes: string, mediaId: bigint | null = null): HeldFile {
  return {
    ...{ mediaId, ownerUuid: owner, itemUuid: item, mediaType: "content", ext: "jpg" },
    publicName: `${item}.jpg`,
    path: `content/${owner}/${item.slice(0, 2)}/${item}.jpg`,
    size: bytes.length,
    sha256: sha256(bytes).toHex(),
    writtenAt: 1_700_000_000,
  };
}

inboxTest(
  "what began while a freeze waited for its commit is waited for before the owner is DRAINED",
  async (inbox) => {
    const admin = await administrator(inbox), owner = crypto.randomUUID();
    const app = await inbox.as("app");
    // A commit that takes its time, as one does whose synchronous standby is behind.
    await inbox.admin.query(
      `CREATE FUNCTION omoide.slow_commit() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(1, 1); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON omoide.frozen
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION omoide.slow_commit();
      SELECT pg_advisory_lock(1, 1)`,
    );
    const frozen = freezeOwner(admin, owner, true);
    await untilItWaitsOrEnds(inbox, frozen);
    await app.query("BEGIN");
    await submit(app, "a picture", owner);
    await inbox.admin.query("SELECT pg_advisory_unlock(1, 1)");
    await frozen;
    assert.equal(await isDrained(admin, owner), false, "and then it is committed");
    await app.query("COMMIT");
    assert.equal(await isDrained(admin, owner), false);
    await refused(app, "OM007", "SELECT omoide.submit_media($1, $1, 'content', 'jpg', '')", [
      owner,
    ]);
  },
);

inboxTest(
  "an upload that is committed while somebody asks whether its owner is DRAINED is not missed",
  async (inbox) => {
    const admin = await administrator(inbox);
    const app = await inbox.as("app");
    // Asking pauses in the middle of a statement: it has its snapshot, and not yet all that it asks.
    await inbox.admin.query(
      `ALTER TABLE omoide.upload RENAME TO kept;
      CREATE FUNCTION omoide.pause() RETURNS SETOF omoide.kept LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(1, 1); END';
      CREATE VIEW omoide.upload AS SELECT * FROM omoide.kept UNION ALL SELECT * FROM omoide.pause()`,
    );
    for (const ask of ["show", "purge"]) {
      const owner = crypto.randomUUID();
      await app.query("BEGIN");
      await submit(app, "a picture", owner);
      await freezeOwner(admin, owner, true);
      await inbox.admin.query("SELECT pg_advisory_lock(1, 1)");
      const asked = ask === "show"
        ? ownerState(admin, owner).then((s) => s.earlier + s.waiting + s.uploads > 0)
        : ownersNotDrained(admin, [owner]).then((found) => found.length > 0);
      await untilItWaitsOrEnds(inbox, asked);
      await app.query("COMMIT");
      await inbox.admin.query("SELECT pg_advisory_unlock(1, 1)");
      assert.equal(await asked, true, `${ask}: it is in the inbox, and nobody said so`);
    }
  },
);

inboxTest("an upload that is finished just as it expires is waited for", async (inbox) => {
  const admin = await administrator(inbox), owner = crypto.randomUUID(), key = crypto.randomUUID();
  const app = await inbox.as("app");
  await app.query(OPEN, [key, owner]);
  await freezeOwner(admin, owner, true);
  await app.query("BEGIN; SELECT 1");
  await inbox.admin.query("UPDATE omoide.upload SET expires_at = clock_timestamp()");
  await app.query(FINISH, [key, owner]);
  assert.equal(await isDrained(admin, owner), false, "and then it is committed");
  await app.query("COMMIT");
  assert.equal(await isDrained(admin, owner), false);
});

inboxTest(
  "an owner who comes makes nobody's upload get an id that has been given",
  async (inbox) => {
    const admin = await administrator(inbox);
    const [resident, newcomer] = [crypto.randomUUID(), crypto.randomUUID()];
    const app = await inbox.as("app");
    const given = [await submit(app, "a picture", resident)];
    // Between looking how far the ids are and saying so, others draw some.
    await inbox.admin.query("BEGIN; ALTER SEQUENCE omoide.media_id_seq CACHE 1");
    const rebuilt = rebuildReceipts(admin, 1, [file(newcomer, crypto.randomUUID(), "another")]);
    await untilItWaitsOrEnds(inbox, rebuilt);
    for (let n = 0; n < 5; n++) given.push(await submit(inbox.admin, "a picture", resident));
    await inbox.admin.query("COMMIT");
    assert.equal((await rebuilt).media, 1);
    for (let n = 0; n < 5; n++) given.push(await submit(app, "a picture", resident));
    const ids = await rowsOf<{ id: string }>(inbox.admin, "SELECT id FROM omoide.media");
    assert.equal(new Set(ids.map(({ id }) => id)).size, given.length + 1);
  },
);

inboxTest("two trees that are rebuilt at once take no id back from each other", async (inbox) => {
  const owner = crypto.randomUUID(), app = await inbox.as("app");
  const admins = [await administrator(inbox), await administrator(inbox)];
  const waiting = "SELECT count(*)::int FROM pg_stat_activity " +
    "WHERE datname = current_database() AND wait_event_type = 'Lock'";
  // Both have looked how far the ids are before either says so.
  await inbox.admin.query("BEGIN; ALTER SEQUENCE omoide.media_id_seq CACHE 1");
  const rebuilt: Promise<unknown>[] = [];
  for (const [n, admin] of admins.entries()) {
    const claimed = file(owner, crypto.randomUUID(), "a picture", [BigInt(IDS_AHEAD + 15), 10n][n]);
    rebuilt.push(rebuildReceipts(admin, 1, [claimed]));
    await until("it waits", async () => await valueOf(inbox.admin, waiting) === rebuilt.length);
  }
  await inbox.admin.query("COMMIT");
  await Promise.all(rebuilt);
  // With the lower one's word, the fifth of these would get the higher one's id.
  for (let n = 0; n < 10; n++) await submit(app, "a picture", owner);
});

inboxTest(
  "an owner who comes while the same items are uploaded there loses neither file",
  async (inbox) => {
    const admin = await administrator(inbox), owner = crypto.randomUUID();
    const items = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
    const [same, other, own] = items as [string, string, string];
    const app = await inbox.as("app");
    await app.query("BEGIN");
    await submit(app, "one", owner, same);
    await submit(app, "other bytes", owner, other);
    await submit(app, "other bytes", owner, own);
    const rebuilt = rebuildReceipts(admin, 1, [
      ...[file(owner, same, "one"), file(owner, other, "two"), file(owner, own, "three", 900n)],
    ]);
    await untilItWaitsOrEnds(inbox, rebuilt);
    await app.query("COMMIT");
    assert.deepEqual(await rebuilt, { receipts: 2, media: 2, left: 1 });
    const media = async (connection: Connection) =>
      await rowsOf(
        connection,
        "SELECT item_uuid AS item, size::int, holds_name, id = 900 AS own, " +
          "EXISTS (SELECT FROM omoide.stored r WHERE r.media_id = m.id) AS stored FROM omoide.media m",
      );
    const row = (item: string, bytes: string, is: "held" | "own" | "new") => ({
      ...{ item, size: bytes.length, holds_name: is === "held", own: is === "own" },
      stored: is !== "held",
    });
    const order = (rows: Record<string, unknown>[]) => rows.map((r) => JSON.stringify(r)).sort();
    assert.deepEqual(
      order(await media(inbox.admin)),
      order([
        ...[row(same, "one", "held"), row(other, "other bytes", "held"), row(other, "two", "new")],
        ...[row(own, "other bytes", "held"), row(own, "three", "own")],
      ]),
    );
  },
);
