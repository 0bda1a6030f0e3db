import { DatabaseDamagedError, DatabaseUnavailableError } from "../errors.ts";
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
  const copy = copyTo(copyStatement(window)) as unknown as CopyInternals;
  const ready = mend(copy);
  const onEnded = () => ready.resolve();
  session.ended.addEventListener("abort", onEnded);
  const stream = session.reading.query(copy);
  // Under Deno 2.9.6 a socket that was idle before the COPY stays stopped: `pause()` stops its handle,
  // and `read()` does not start it again. Resuming it here mended 800 of 800 hanging copies.
  stream.connection.stream.resume();
  const parser = new CopyBinaryParser();
  let moved = true;
  const stall = setInterval(() => {
    if (!moved) session.cutReading();
    moved = false;
  }, STALL_MS);
  try {
    for await (const piece of stream) {
      moved = true;
      for (const chunkPiece of parser.push(piece)) {
        yield chunkPiece;
        moved = true;
      }
    }
    await ready.promise;
  } catch (error) {
    if (error instanceof TypeError) throw error;
    const meant = inboxError(error);
    // The connection is of use again once the server is ready; of that, `pg` tells a failed query nothing.
    if (meant instanceof DatabaseDamagedError) await session.query(session.reading, "SELECT");
    throw meant;
  } finally {
    clearInterval(stall);
    session.ended.removeEventListener("abort", onEnded);
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

/** What is used of the library's COPY beyond its published types. */
interface CopyInternals extends AsyncIterable<Uint8Array> {
  readonly connection: { readonly stream: { resume(): void } };
  _buffer: object | null;
  _parse(piece: Uint8Array): boolean;
  handleReadyForQuery(): void;
  submit(): void;
}

/**
 * Makes pg-copy-streams 7.0.0 bear a COPY whose last bytes come in two reads. PostgreSQL sends 8 KiB at a
 * time, so about 18 of every 8,192 lengths are cut between CopyDone and ReadyForQuery. Then its loop goes on
 * with the next read after it has thrown its buffer away, which ended the process; and its stream ends
 * while the connection is not free yet, so that the next COPY is queued instead of submitted.
 *
 * @returns resolved when the server is ready for the next query
 */
function mend(copy: CopyInternals): PromiseWithResolvers<void> {
  const ready = Promise.withResolvers<void>();
  const parse = copy._parse;
  copy._parse = function (piece) {
    const goOn = parse.call(this, piece);
    return this._buffer !== null && goOn;
  };
  copy.handleReadyForQuery = () => ready.resolve();
  return ready;
}
