/** What is moved to another generation between being listed and being read, or while it is read. */
import assert from "node:assert/strict";
import { CHUNK_BYTES } from "../../../src/inbox/copy/chunk_bytes.ts";
import { type ChunkWindow, readChunks } from "../../../src/inbox/copy/chunk_reader.ts";
import { InboxSession } from "../../../src/inbox/session.ts";
import { pending } from "../../../src/inbox/delivery_calls.ts";
import { takeStorage } from "../../../src/inbox/storage_calls.ts";
import type { TestInbox } from "../../support/postgres.ts";
import { lockedGenerations, recycle } from "../support/generations.ts";
import { inboxTest, submit, valueOf } from "../support/inbox_test.ts";

/** A session that has the storage hot. */
async function openSession({ pg, database, identities }: TestInbox): Promise<InboxSession> {
  const session = await InboxSession.open({
    ...{ hosts: [{ host: "127.0.0.1", port: pg.port }], database, user: "omoide_hot" },
    ...{ tls: "disable" as const, target: "read-write" as const },
  }, {});
  await takeStorage(session, "hot", identities.hot);
  return session;
}

/** The bytes that came of each media, in the order in which they came. */
async function read(session: InboxSession, window: ChunkWindow): Promise<Map<bigint, number>> {
  const bytes = new Map<bigint, number>();
  await readChunks(session, window, (piece) => {
    bytes.set(piece.mediaId, (bytes.get(piece.mediaId) ?? 0) + piece.bytes.length);
  });
  return bytes;
}

/** Moves everything away from where it is, by what a worker's sweep does; the files of before are gone. */
async function moveAll(inbox: TestInbox): Promise<void> {
  const app = await inbox.as("app");
  await app.query("BEGIN");
  // So much of an abort that little of the generation is alive.
  const id = await valueOf(
    app,
    "SELECT omoide.open_media(gen_random_uuid(), gen_random_uuid(), 'content', 'jpg')",
  );
  for (let seq = 0; seq < 60; seq++) {
    await app.query("SELECT omoide.append_chunk($1, $2, $3)", [
      id,
      seq,
      new Uint8Array(CHUNK_BYTES),
    ]);
  }
  await app.query("ROLLBACK");
  const cold = await inbox.as("cold");
  await recycle(cold);
  await inbox.admin.query("UPDATE omoide.generation SET quiet_since = '-infinity'");
  assert.equal((await recycle(cold)).emptied, 1);
}

inboxTest("what was listed is read wherever it has been moved since", async (inbox) => {
  const app = await inbox.as("app");
  const session = await openSession(inbox);
  const sizes = [10, CHUNK_BYTES + 5, 20];
  for (const size of sizes) await submit(app, new Uint8Array(size));
  const ids = (await pending(session, 0n, 10)).map(({ media }) => media.id);
  await moveAll(inbox);
  assert.deepEqual([...(await read(session, { mediaIds: ids })).values()], sizes);
  // Twice, and one after the other.
  await moveAll(inbox);
  for (const [n, id] of ids.entries()) {
    assert.deepEqual([...(await read(session, { mediaIds: [id] })).values()], [sizes[n]]);
  }
  session.end(new Error("the test is over"));
});

inboxTest(
  "a large media that is moved between two of its windows goes on where it is",
  async (inbox) => {
    const session = await openSession(inbox);
    await submit(await inbox.as("app"), new Uint8Array(3 * CHUNK_BYTES + 1));
    const [delivery] = await pending(session, 0n, 10);
    assert.ok(delivery !== undefined);
    const mediaId = delivery.media.id;
    const first = await read(session, { mediaId, fromSeq: 0, toSeq: 1 });
    await moveAll(inbox);
    const rest = await read(session, { mediaId, fromSeq: 2, toSeq: 2 ** 31 - 1 });
    assert.deepEqual([...first.values(), ...rest.values()], [2 * CHUNK_BYTES, CHUNK_BYTES + 1]);
    session.end(new Error("the test is over"));
  },
);

inboxTest(
  "of a group of which one was moved, that one is found when it is read alone",
  async (inbox) => {
    const app = await inbox.as("app");
    const session = await openSession(inbox);
    for (const size of [10, 20, 30]) await submit(app, new Uint8Array(size));
    const ids = (await pending(session, 0n, 10)).map(({ media }) => media.id);
    const [first, moved, last] = ids;
    assert.ok(first !== undefined && moved !== undefined && last !== undefined);
    await inbox.admin.query("BEGIN");
    await inbox.admin.query("SELECT omoide.move_chunks($1, 0, 5)", [moved]);
    await inbox.admin.query("UPDATE omoide.waiting SET generation = 5 WHERE media_id = $1", [
      moved,
    ]);
    await inbox.admin.query("COMMIT");
    assert.deepEqual([...(await read(session, { mediaIds: ids })).keys()], [first, last]);
    assert.deepEqual([...(await read(session, { mediaIds: [moved] })).values()], [20]);
    // From now on it is known where it is: in a group that lies in three parts, each comes in its turn.
    assert.deepEqual([...(await read(session, { mediaIds: ids })).keys()], ids);
    session.end(new Error("the test is over"));
  },
);

inboxTest("what is really missing is asked for no more than twice", async (inbox) => {
  const session = await openSession(inbox);
  await submit(await inbox.as("app"), new Uint8Array(10));
  const ids = (await pending(session, 0n, 10)).map(({ media }) => media.id);
  await inbox.admin.query("DELETE FROM omoide.media_chunk");
  assert.deepEqual([...(await read(session, { mediaIds: ids })).keys()], []);
  session.end(new Error("the test is over"));
});

inboxTest(
  "a COPY under way keeps its generation, and only that, from being emptied",
  async (inbox) => {
    const app = await inbox.as("app");
    const session = await openSession(inbox);
    // More than the sockets between them take, so the server waits in the middle of it.
    await submit(app, new Uint8Array(64 * CHUNK_BYTES));
    const ids = (await pending(session, 0n, 10)).map(({ media }) => media.id);
    let looked = false;
    await readChunks(session, { mediaIds: ids }, async () => {
      if (looked) return;
      looked = true;
      const reading = session.reading.connection as unknown as { processID: number };
      const locks = await inbox.admin.query(
        `SELECT DISTINCT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
      WHERE l.pid = $1 AND c.relispartition AND c.relkind = 'r'`,
        [reading.processID],
      );
      assert.deepEqual(locks.rows, [{ relname: "media_chunk_0" }]);
    });
    assert.ok(looked);
    assert.deepEqual(await lockedGenerations(session.reading.connection, inbox.admin), []);
    session.end(new Error("the test is over"));
  },
);
