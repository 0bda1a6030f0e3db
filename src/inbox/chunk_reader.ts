import { DatabaseUnavailableError } from "../errors.ts";
import { type ChunkPiece, CopyBinaryParser } from "./copy_binary.ts";
import { inboxError } from "./inbox_error.ts";
import { copyTo } from "./pg.ts";
import type { InboxSession } from "./session.ts";

/** The rows of one COPY: some media whole, or a range of one media's chunks. Bounded, see `readChunks`. */
export type ChunkWindow =
  | { readonly mediaIds: readonly bigint[] }
  | { readonly mediaId: bigint; readonly fromSeq: number; readonly toSeq: number };

/**
 * After so many milliseconds without a byte moving, reading is cut. A COPY is a transaction while it
 * runs: with a hanging disk on this end, it would keep the database from cleaning up for everybody.
 */
const STALL_MS = 30_000;

/**
 * Streams the chunks of a window, ordered by media and seq. The pieces are views into network buffers.
 *
 * COPY brings about 1 GB/s into Deno, rows through the ordinary protocol 90 MB/s. A window must be
 * bounded (tens of MiB), since its snapshot lives until it is read; for the same reason it is always
 * read to its end, an abandoned one would leave the connection in the middle of a COPY.
 *
 * @throws {DatabaseUnavailableError} when the connection ends or stalls
 * @throws {DatabaseDamagedError} when the server cannot read some of these rows
 */
export async function* readChunks(
  session: InboxSession,
  window: ChunkWindow,
): AsyncGenerator<ChunkPiece, void, undefined> {
  const stream = session.reading.query(copyTo(copyStatement(window)));
  // Under Deno 2.9.6 a socket that was idle before the COPY stays stopped: `pause()` stops its handle,
  // and `read()` does not start it again. Resuming it here mended 800 of 800 hanging copies.
  (stream as unknown as Submitted).connection.stream.resume();
  const parser = new CopyBinaryParser();
  const stall = setInterval(() => {
    if (!moved) session.cutReading();
    moved = false;
  }, STALL_MS);
  let moved = true;
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      moved = true;
      for (const chunkPiece of parser.push(piece)) {
        yield chunkPiece;
        moved = true;
      }
    }
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw inboxError(error);
  } finally {
    clearInterval(stall);
  }
  if (!parser.ended) {
    throw new DatabaseUnavailableError(
      "The connection to the database ended in the middle of a COPY",
    );
  }
}

/** COPY takes no parameters; what stands in its text are numbers, and nothing else. */
function copyStatement(window: ChunkWindow): string {
  const where = "mediaIds" in window
    ? `media_id = ANY ('{${window.mediaIds.join(",")}}'::bigint[])`
    : `media_id = ${window.mediaId} AND seq BETWEEN ${window.fromSeq} AND ${window.toSeq}`;
  return `COPY (SELECT media_id, seq, bytes FROM omoide.my_chunk WHERE ${where} ` +
    "ORDER BY media_id, seq) TO STDOUT (FORMAT binary)";
}

/** What the driver hangs on a submitted query. */
interface Submitted {
  readonly connection: { readonly stream: { resume(): void } };
}
