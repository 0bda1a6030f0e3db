/** What the tests of the inbox's generations ask and do. */
import assert from "node:assert/strict";
import type { Connection } from "../../../src/inbox/connect.ts";
import type { TestInbox } from "../../support/postgres.ts";
import { acknowledge, release, rowsOf, sha256, valueOf } from "./inbox_test.ts";

export const CHUNK = 262_144;

/** As a worker does at each sweep. */
export async function recycle(
  worker: Connection,
  thorough = true,
): Promise<{ emptied: number; moved: number }> {
  const [row] = await rowsOf<{ emptied: number; moved: number }>(
    worker,
    "SELECT emptied, moved_bytes::int AS moved FROM omoide.recycle($1)",
    [thorough],
  );
  assert.ok(row !== undefined);
  return row;
}

/** Lets a media leave: receipts of both storages, and a release. */
export async function leave(
  workers: readonly Connection[],
  ids: string[],
  content: Uint8Array | string,
): Promise<void> {
  for (const worker of workers) await acknowledge(worker, ids, content);
  assert.equal(await release(workers[0] as Connection, ids), ids.length);
}

/** Bytes of the inbox's files. */
export async function fileBytes(inbox: TestInbox): Promise<number> {
  return Number(await valueOf(inbox.admin, "SELECT disk_bytes FROM omoide.inbox_status"));
}

export async function currentGeneration(inbox: TestInbox): Promise<number> {
  return Number(await valueOf(inbox.admin, "SELECT last_value FROM omoide.current_generation"));
}

export async function generationOf(inbox: TestInbox, id: string): Promise<number> {
  return Number(
    await valueOf(inbox.admin, "SELECT generation FROM omoide.waiting WHERE media_id = $1", [id]),
  );
}

/** Opens a media and appends chunks, in the session's transaction; returns its id. */
export async function append(app: Connection, chunks: number): Promise<string> {
  const id = await valueOf(
    app,
    "SELECT omoide.open_media(gen_random_uuid(), gen_random_uuid(), 'content', 'jpg')",
  ) as string;
  for (let seq = 0; seq < chunks; seq++) {
    await app.query("SELECT omoide.append_chunk($1, $2, $3)", [id, seq, new Uint8Array(CHUNK)]);
  }
  return id;
}

export async function seal(app: Connection, id: string, chunks: number): Promise<void> {
  await app.query("SELECT omoide.seal_media($1, $2, $3)", [
    id,
    chunks * CHUNK,
    sha256(new Uint8Array(chunks * CHUNK)),
  ]);
}

/**
 * What must hold at every moment: the chunks of each media that is in the inbox are whole and lie where its
 * row says, and nowhere else.
 */
export async function requireWhole(admin: Connection): Promise<void> {
  const wrong = await rowsOf(
    admin,
    `SELECT m.id, w.generation, m.size,
      (SELECT sha256(string_agg(c.bytes, '' ORDER BY c.seq)) = m.sha256 FROM omoide.media_chunk c
        WHERE c.media_id = m.id AND c.generation = w.generation) AS same,
      (SELECT count(*)::int FROM omoide.media_chunk c
        WHERE c.media_id = m.id AND c.generation <> w.generation) AS elsewhere
    FROM omoide.media m JOIN omoide.waiting w ON w.media_id = m.id WHERE m.size > 0`,
  );
  assert.deepEqual(wrong.filter(({ same, elsewhere }) => same !== true || elsewhere !== 0), []);
}

/** The generations that this session has locked, as `media_chunk_3: RowExclusiveLock`. */
export async function lockedGenerations(session: Connection, asked: Connection): Promise<string[]> {
  const pid = await valueOf(session, "SELECT pg_backend_pid()");
  const rows = await rowsOf<{ lock: string }>(
    asked,
    `SELECT DISTINCT c.relname || ': ' || l.mode AS lock FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = $1 AND c.relkind = 'r' AND c.relispartition ORDER BY 1`,
    [pid],
  );
  return rows.map(({ lock }) => lock);
}
