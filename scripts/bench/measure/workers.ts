import { streamMedia, submitMedia } from "../../../src/inbox/application/submit.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { sleep } from "../command.ts";
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

/** The database's own clock, as its receipts have it. */
export async function timeOf(connection: Connection): Promise<string> {
  const { rows: [row] } = await connection.query<{ now: string }>(
    "SELECT clock_timestamp()::text AS now",
  );
  return row?.now ?? "";
}

async function allReleased(connection: Connection): Promise<void> {
  for (;;) {
    const { rows: [row] } = await connection.query<{ left: boolean }>(
      "SELECT EXISTS (SELECT FROM omoide.media WHERE released_at IS NULL) AS left",
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
