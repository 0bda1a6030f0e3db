/** Where a file really is, after a restore, a replacement, and what a tree claims. */
import assert from "node:assert/strict";
import { type AdminInbox, openInbox } from "../../../src/inbox/admin/inbox.ts";
import {
  type HeldFile,
  HIGHEST_CLAIMED_ID,
  IDS_AHEAD,
  rebuildReceipts,
} from "../../../src/inbox/admin/rebuild_receipts.ts";
import { inboxStatus } from "../../../src/inbox/status/ask_status.ts";
import { retireStorage } from "../../../src/inbox/admin/storages.ts";
import {
  beginReplacing,
  countReplaced,
  replaceIdentity,
  voidReceipts,
} from "../../../src/inbox/admin/replace.ts";
import { registerStorage } from "../../../src/inbox/admin/register_storage.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { IDENTITIES, type TestInbox } from "../../support/postgres.ts";
import {
  acknowledge,
  inboxTest,
  pendingIds,
  refused,
  release,
  rowsOf,
  sha256,
  submit,
  valueOf,
} from "../support/inbox_test.ts";

const ACKNOWLEDGE =
  "SELECT result FROM omoide.acknowledge($1, ARRAY[$2::int8], ARRAY[$3::bytea], '{9}', ARRAY[$4], ARRAY[$5])";
const [OWNER, ITEM] = [crypto.randomUUID(), crypto.randomUUID()];
const USUAL = `content/${OWNER}/${ITEM.slice(0, 2)}/${ITEM}.jpg`;

function pathBeside(bytes: string): string {
  return USUAL.replace(".jpg", `~${sha256(bytes).toHex()}.jpg`);
}

function heldFile(mediaId: bigint | null, bytes: string, path: string): HeldFile {
  return {
    mediaId,
    ownerUuid: OWNER,
    itemUuid: ITEM,
    mediaType: "content",
    ext: "jpg",
    publicName: path.slice(path.lastIndexOf("/") + 1),
    path,
    size: bytes.length,
    sha256: sha256(bytes).toHex(),
    writtenAt: 1_700_000_000,
  };
}

function asAdmin({ admin }: TestInbox): AdminInbox {
  return { connection: admin, minCopies: 2 } as AdminInbox;
}

/** An item whose file was stored, and whose database was then restored to before that. */
async function submitTwiceAroundARestore(inbox: TestInbox): Promise<string> {
  await inbox.admin.query("SELECT setval('omoide.media_id_seq', 1)");
  return await submit(await inbox.as("app"), "bytes of B", OWNER, ITEM);
}

inboxTest(
  "find_media has the path that each storage has, not the one that was planned",
  async (inbox) => {
    const id = await submitTwiceAroundARestore(inbox);
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const find = async () =>
      await rowsOf(app, "SELECT media_id, paths, stored_in FROM omoide.find_media($1, $2)", [
        OWNER,
        ITEM,
      ]);
    assert.deepEqual(await find(), [{ media_id: id, paths: {}, stored_in: [] }]);
    const ack = ACKNOWLEDGE.replace("'{9}'", "'{10}'");
    const beside = pathBeside("bytes of B");
    await hot.query(ack, [IDENTITIES.hot, id, sha256("bytes of B"), "renamed", beside]);
    assert.deepEqual(await find(), [{ media_id: id, paths: { hot: beside }, stored_in: ["hot"] }]);
    await cold.query(ack, [IDENTITIES.cold, id, sha256("bytes of B"), "stored", null]);
    assert.deepEqual(await find(), [
      { media_id: id, paths: { hot: beside, cold: USUAL }, stored_in: ["cold", "hot"] },
    ]);
    assert.equal(await release(hot, [id]), 1);

    // The tree of hot is as its receipts say. That of cold is not: A has the name, B is beside it.
    const files = [heldFile(1n, "bytes of A", USUAL), heldFile(BigInt(id), "bytes of B", beside)];
    await rebuildReceipts(asAdmin(inbox), 1, files);
    assert.equal((await inboxStatus(inbox.admin)).sharedPaths, 0);
    await rebuildReceipts(asAdmin(inbox), 2, files);
    assert.equal((await inboxStatus(inbox.admin)).sharedPaths, 1);
    assert.deepEqual(
      await rowsOf(app, "SELECT paths FROM omoide.find_media($1, $2)", [OWNER, ITEM]),
      [
        { paths: { hot: USUAL, cold: USUAL } },
        { paths: { hot: beside, cold: USUAL } },
      ],
    );
  },
);

inboxTest("uploads of the same bytes share a path, and that is as it should be", async (inbox) => {
  const app = await inbox.as("app");
  const ids = [await submit(app, "same", OWNER, ITEM), await submit(app, "same", OWNER, ITEM)];
  for (const worker of [await inbox.as("hot"), await inbox.as("cold")]) {
    await acknowledge(worker, ids, "same");
  }
  assert.equal((await inboxStatus(inbox.admin)).sharedPaths, 0);
});

inboxTest(
  "an id out of all proportion is none: uploads go on, and the file gets a new one",
  async (inbox) => {
    const ids = [2n ** 63n - 1n, HIGHEST_CLAIMED_ID + 1n, 7n, 7n, null];
    const files = ids.map((id, n) => ({ ...heldFile(id, `bytes ${n}`, pathBeside(`bytes ${n}`)) }));
    assert.deepEqual(await rebuildReceipts(asAdmin(inbox), 1, files), {
      receipts: 5,
      media: 5,
      left: 0,
    });
    assert.deepEqual(
      await rowsOf(inbox.admin, "SELECT id FROM omoide.media ORDER BY id"),
      [7, ...[8, 9, 10, 11].map((id) => id + IDS_AHEAD)].map((id) => ({ id: String(id) })),
    );
    assert.equal(await submit(await inbox.as("app")), String(12 + IDS_AHEAD));
    await rebuildReceipts(asAdmin(inbox), 1, [
      heldFile(HIGHEST_CLAIMED_ID, "the last", pathBeside("the last")),
    ]);
    const next = HIGHEST_CLAIMED_ID + BigInt(IDS_AHEAD) + 1n;
    assert.equal(await submit(await inbox.as("app")), String(next));
  },
);

inboxTest("an older session's acknowledgement is not one of the new root", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const [early, late] = [await submit(app), await submit(app)];
  const values = (id: string) => [IDENTITIES.hot, id, sha256("a picture"), "stored", null];
  await refused(hot, "OM021", ACKNOWLEDGE, [null, ...values(early).slice(1)]);

  // One that is under way is waited for, and void with the rest.
  await hot.query("BEGIN");
  await hot.query(ACKNOWLEDGE, values(early));
  const replaced = crypto.randomUUID();
  await inbox.admin.query("BEGIN");
  const replacing = replaceIdentity(asAdmin(inbox), 1, replaced);
  replacing.catch(() => {});
  await waiting(inbox, 1);
  await hot.query("COMMIT");
  assert.deepEqual(await replacing, { receipts: 1, owed: 2 });

  // One that comes before the replacement is committed waits for it.
  const refusal = refused(hot, "OM021", ACKNOWLEDGE, values(late));
  refusal.catch(() => {});
  await waiting(inbox, 1);
  await inbox.admin.query("COMMIT");
  await refusal;
  assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.stored"), 0);
  assert.deepEqual(await pendingIds(hot), [early, late]);
  await hot.query(ACKNOWLEDGE, [replaced, ...values(late).slice(1)]);
  assert.deepEqual(await pendingIds(hot), [early]);
});

inboxTest(
  "a replacement that is interrupted lets nothing leave, and goes on when it is run again",
  async (inbox) => {
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const [waits, left] = [await submit(app), await submit(app)];
    await acknowledge(hot, [waits, left]);
    await acknowledge(cold, [left]);
    assert.equal(await release(hot, [left]), 1);
    // Far beyond the others, as in a storage that was rebuilt: another range.
    await rebuildReceipts(asAdmin(inbox), 1, [heldFile(1_000_000n, "far", pathBeside("far"))]);
    const admin = asAdmin(inbox);
    assert.deepEqual(await countReplaced(admin, 1), { receipts: 3, owed: 1 });
    // Its snapshot is older: it would still see the receipt, and a storage that is trusted.
    const late = await inbox.as("cold");
    await late.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await acknowledge(late, [waits]);

    await beginReplacing(admin, 1);
    const interrupted = new AbortController();
    await assert.rejects(
      voidReceipts(admin, 1, interrupted.signal, () => interrupted.abort()),
      /stopped before the end; run it again/,
    );
    assert.deepEqual(await countReplaced(admin, 1), { receipts: 1, owed: 1 });
    await refused(late, "40001", "SELECT omoide.release($1)", [[waits]]);
    await late.query("ROLLBACK");
    await acknowledge(cold, [waits]);
    assert.equal(await release(cold, [waits]), 0);
    const reason = "SELECT distrusted_reason FROM omoide.storage WHERE id = 1";
    assert.match(String(await valueOf(inbox.admin, reason)), /run `storage replace` again/);

    await beginReplacing(admin, 1);
    assert.equal(await voidReceipts(admin, 1, new AbortController().signal, () => {}), 1);
    assert.deepEqual(await replaceIdentity(admin, 1, crypto.randomUUID()), {
      receipts: 0,
      owed: 1,
    });
    assert.equal(await valueOf(inbox.admin, reason), null);
    assert.deepEqual(await pendingIds(hot), [waits]);
    assert.equal(await release(cold, [waits]), 0);
  },
);

inboxTest("a worker's open transaction holds up no administrator", async (inbox) => {
  await registerStorage(inbox.admin, { name: "third", identity: IDENTITIES.third, prefixSize: 2 });
  const [hot, superuser] = [await inbox.as("hot"), await inbox.pg.connect(inbox.database)];
  // Every timeout that its role can switch off.
  await hot.query("SET idle_in_transaction_session_timeout = 0");
  await hot.query("BEGIN; SELECT omoide.distrust('a lie')");
  const gone = new Promise((resolve) => hot.once("end", resolve));
  await using admin = await openInbox(inbox.pg.url(inbox.database));
  // So that this fails where it would wait for ever.
  await admin.connection.query("SET lock_timeout = '60s'");
  await retireStorage(admin, "hot", false);
  await gone;
  // Another administrator's is waited for.
  await superuser.query("BEGIN; UPDATE omoide.storage SET prefix_size = prefix_size");
  const dry = assert.rejects(retireStorage(admin, "cold", true), /would remain/);
  await superuser.query("SELECT pg_sleep(4)");
  await superuser.query("COMMIT");
  await dry;
});

/** Returns when so many sessions of this database wait for a lock. */
async function waiting({ pg, database }: TestInbox, sessions: number): Promise<void> {
  const looking: Connection = await pg.connect(database);
  const count = "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event_type = 'Lock' " +
    "AND datname = current_database()";
  while (await valueOf(looking, count) !== sessions) {
    await valueOf(looking, "SELECT pg_sleep(0.02)");
  }
  await looking.end();
}
