import { DatabaseUnavailableError } from "../../errors.ts";
import type { Run } from "./chunk_places.ts";
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
 * Chunks can be moved to another generation after `pending` said where they are. A media of which nothing
 * comes is asked for again before this returns, if nothing else came with it; otherwise it is forgotten where
 * it was, so that reading it alone asks for it. What is missing twice is missing.
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
  const mediaIds = "mediaIds" in window ? window.mediaIds : [window.mediaId];
  for (const run of await locate(session, mediaIds)) {
    await readRun(session, run, window, take);
  }
}

/** Where these media's chunks are; asks the inbox if that is not known. What is owed no longer is left out. */
async function locate(session: InboxSession, mediaIds: readonly bigint[]): Promise<Run[]> {
  const unknown = session.places.unknownOf(mediaIds);
  if (unknown.length > 0) {
    const rows = await session.query<{ media_id: string; generation: number }>(
      session.reading.connection,
      "SELECT media_id, generation FROM omoide.locate($1)",
      [unknown],
    );
    for (const row of rows) session.places.note(BigInt(row.media_id), row.generation);
  }
  return session.places.runsOf(mediaIds);
}

/** Reads the part of a window that is in one generation, or wherever it has been moved. */
async function readRun(
  session: InboxSession,
  run: Run,
  window: ChunkWindow,
  take: TakePiece,
): Promise<void> {
  const found = new Set<bigint>();
  await copyChunks(session, copyStatement(run, window), (piece) => {
    if (piece.at === 0) found.add(piece.mediaId);
    return take(piece);
  });
  if (found.size === run.mediaIds.length) return;
  session.places.forget(run.mediaIds.filter((id) => !found.has(id)));
  if (found.size > 0) return;
  for (const now of await locate(session, run.mediaIds)) {
    if (now.generation !== run.generation) await readRun(session, now, window, take);
  }
}

/** Runs one COPY to its end. */
async function copyChunks(
  session: InboxSession,
  statement: string,
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
    await connection.query(statement);
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

/**
 * COPY takes no parameters; its text holds numbers and nothing else. The generation as a number lets the
 * planner drop the others before it locks them, so that they can be emptied meanwhile.
 */
function copyStatement({ generation, mediaIds }: Run, window: ChunkWindow): string {
  const where = "mediaIds" in window
    ? `media_id = ANY ('{${mediaIds.join(",")}}'::bigint[])`
    : `media_id = ${window.mediaId} AND seq BETWEEN ${window.fromSeq} AND ${window.toSeq}`;
  return `COPY (SELECT media_id, seq, bytes FROM omoide.my_chunk WHERE generation = ${generation} ` +
    `AND ${where} ORDER BY media_id, seq) TO STDOUT (FORMAT binary)`;
}
