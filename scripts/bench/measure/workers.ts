import { streamMedia, submitMedia } from "../../../src/inbox/application/submit.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { sleep } from "../../../src/sleep.ts";
import { makeInbox, Workers } from "../inbox.ts";
import { emptyGenerations } from "../settle.ts";
import type { Carrier } from "./carry.ts";

/** What an application would not put together in memory. */
const STREAMED_BYTES = 16e6;
const PIECE_BYTES = 256 * 1024;

/** What this project is: the inbox, and a worker in its sandbox for each storage. */
export const omoideWorkers: Carrier = {
  prepare: makeInbox,

  async submit(connection, media, bytes) {
    if (bytes.length < STREAMED_BYTES) await submitMedia(connection, media, bytes);
    else await streamMedia(connection, media, piecesOf(bytes));
  },

  async carry(server, directory, count) {
    const connection = await server.connect("bench");
    const began = await timeOf(connection);
    await using workers = new Workers(server, directory);
    await workers.during(allReleased(connection));
    const peakMemory = workers.peakMemory();
    await workers.stop();
    const { rows: [row] } = await connection.query<{ seconds: number; receipts: string }>(
      "SELECT extract(epoch FROM max(stored_at) - $1::timestamptz)::float8 AS seconds, " +
        "count(*) AS receipts FROM omoide.stored",
      [began],
    );
    await connection.end();
    if (row?.receipts !== String(2 * count)) {
      throw new Error(`${row?.receipts} receipts of ${count} media in two storages`);
    }
    return { seconds: row.seconds, peakMemory };
  },

  settle: emptyGenerations,
};

/**
 * How blobs left before there were generations: row by row, behind which vacuum comes. The same workers and the
 * same inbox; only a release deletes the media's chunks, and nothing is emptied as a whole.
 */
export const leavingRowByRow: Carrier = {
  ...omoideWorkers,

  async prepare(server, directory) {
    await makeInbox(server, directory);
    const connection = await server.connect("bench");
    await connection.query(ROW_BY_ROW);
    await connection.end();
  },

  settle: () => Promise.resolve(),
};

const ROW_BY_ROW = `
  CREATE OR REPLACE FUNCTION omoide.recycle(p_thorough boolean)
  RETURNS TABLE (emptied int, moved_bytes bigint) LANGUAGE plpgsql SECURITY DEFINER AS
  'BEGIN END';
  CREATE FUNCTION omoide.delete_chunks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
  'BEGIN
    DELETE FROM omoide.media_chunk_0 c USING released r WHERE c.media_id = r.media_id;
    RETURN NULL;
  END';
  CREATE TRIGGER delete_chunks AFTER DELETE ON omoide.waiting
    REFERENCING OLD TABLE AS released FOR EACH STATEMENT EXECUTE FUNCTION omoide.delete_chunks();
  -- As they were then.
  ALTER TABLE omoide.media_chunk_0 SET (
    autovacuum_enabled = on, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0,
    autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_insert_threshold = -1,
    toast.autovacuum_enabled = on, toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 0, toast.autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_insert_threshold = -1
  )`;

/** The database's own clock, as its receipts have it. */
export async function timeOf(connection: Connection): Promise<string> {
  const { rows: [row] } = await connection.query<{ now: string }>(
    "SELECT clock_timestamp()::text AS now",
  );
  return row?.now ?? "";
}

/** Until every blob has left. */
export async function allReleased(connection: Connection): Promise<void> {
  for (;;) {
    const { rows: [row] } = await connection.query<{ left: boolean }>(
      "SELECT EXISTS (SELECT FROM omoide.waiting) AS left",
    );
    if (row?.left === false) return;
    await sleep(50);
  }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield await Promise.resolve(bytes.subarray(at, at + PIECE_BYTES));
  }
}
