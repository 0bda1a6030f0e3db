import { DatabaseUnavailableError } from "../../errors.ts";
import { type ChunkPiece, CopyBinaryParser } from "./copy_binary.ts";
import { inboxError } from "../inbox_error.ts";
import type { InboxSession } from "../session.ts";

/** The rows of one COPY: some media whole, or a range of one media's chunks. Bounded, see `readChunks`. */
export type ChunkWindow =
  | { readonly mediaIds: readonly bigint[] }
  | { readonly mediaId: bigint; readonly fromSeq: number; readonly toSeq: number };

/** Takes a piece, whose bytes are gone when it is done; no further piece comes before that. */
export type TakePiece = (piece: ChunkPiece) => Promise<void> | void;

/**
 * After this many milliseconds without a byte moving, the session ends. A COPY is a transaction while it
 * runs: with a hanging disk on this end, it would keep the database from cleaning up for everybody.
 */
const STALL_MS = 30_000;
const STALLED = `nothing of a COPY has moved for ${
  STALL_MS / 1000
} s; the disk or the network hangs, see dmesg`;

/**
 * Reads the chunks of a window, ordered by media and seq. The pieces are views into the network's buffer.
 *
 * COPY brings about 1 GB/s into Deno, rows through the ordinary protocol 90 MB/s. A window must be
 * bounded (tens of MiB), since its snapshot lives until it is read; for the same reason it is always
 * read to its end, an abandoned one would leave the connection in the middle of a COPY.
 *
 * @throws {DatabaseUnavailableError} when the connection ends or stalls
 * @throws {DatabaseDamagedError} when the server cannot read some of these rows
 * @throws what `take` throws
 */
export async function readChunks(
  session: InboxSession,
  window: ChunkWindow,
  take: TakePiece,
): Promise<void> {
  const { connection, tap } = session.reading;
  const parser = new CopyBinaryParser();
  const state: ReadingState = { moved: true, taking: undefined, failure: null };
  /** Takes one piece after the other; without a turn of the event loop if none has to wait. */
  const takeAll = (pieces: Iterator<ChunkPiece>): Promise<void> | void => {
    for (let next = pieces.next(); !next.done; next = pieces.next()) {
      const taken = take(next.value);
      state.moved = true;
      if (taken !== undefined) return taken.then(() => takeAll(pieces));
    }
  };
  const fail = (error: unknown) => {
    state.failure ??= { error };
  };
  tap.consumer = (bytes) => {
    state.moved = true;
    if (state.failure !== null) return;
    try {
      return state.taking = takeAll(parser.push(bytes))?.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
  const stall = setInterval(() => {
    if (!state.moved) session.end(new Error(STALLED));
    state.moved = false;
  }, STALL_MS);
  try {
    await connection.query(copyStatement(window));
  } catch (error) {
    throw inboxError(error);
  } finally {
    clearInterval(stall);
    tap.consumer = null;
    // The connection can end while a piece is on its way to the disk.
    await state.taking;
  }
  if (state.failure !== null) throw state.failure.error;
  if (!parser.ended) {
    throw new DatabaseUnavailableError("The database ended a COPY before its end marker");
  }
}

interface ReadingState {
  /** Whether a byte has moved since the last look. */
  moved: boolean;
  /** The piece that is being taken, if that takes time. */
  taking: Promise<void> | void;
  failure: { readonly error: unknown } | null;
}

/** COPY takes no parameters; what stands in its text are numbers, and nothing else. */
function copyStatement(window: ChunkWindow): string {
  const where = "mediaIds" in window
    ? `media_id = ANY ('{${window.mediaIds.join(",")}}'::bigint[])`
    : `media_id = ${window.mediaId} AND seq BETWEEN ${window.fromSeq} AND ${window.toSeq}`;
  return `COPY (SELECT media_id, seq, bytes FROM omoide.my_chunk WHERE ${where} ` +
    "ORDER BY media_id, seq) TO STDOUT (FORMAT binary)";
}
