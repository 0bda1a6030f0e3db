import { DatabaseDamagedError, type StoragePausedError } from "../errors.ts";
import { CHUNK_BYTES } from "../inbox/copy/chunk_bytes.ts";
import { type ChunkWindow, readChunks } from "../inbox/copy/chunk_reader.ts";
import type { InboxSession } from "../inbox/session.ts";
import type { Media } from "../media.ts";
import type { NotStored, StoreBatch } from "../storage/storage.ts";
import { Intake } from "./intake.ts";

export interface Carried {
  readonly notStored: readonly NotStored[];
  /** The storage takes no more for now. What it took before that can be published. */
  readonly paused: StoragePausedError | null;
}

/**
 * Carries the bytes of these media from the inbox into a batch of the store.
 *
 * @param media by id; together, or if it is only one, of any size
 * @param windowBytes how much one COPY may bring, in bytes
 * @throws {DatabaseUnavailableError} the connection ended; what was whole by then is in the batch
 * @throws {StorageDistrustedError} @throws {StorageLostError} the storage is over
 */
export async function carry(
  session: InboxSession,
  batch: StoreBatch,
  media: readonly Media[],
  windowBytes: number,
): Promise<Carried> {
  const intake = new Intake(batch, media);
  try {
    for (const window of windowsOf(await intake.begin(), windowBytes)) {
      await readChunks(session, window, (piece) => intake.take(piece));
      if (intake.over || ("toSeq" in window && intake.lacks(window.toSeq))) break;
    }
  } catch (error) {
    intake.breakOff(error);
    if (!(error instanceof DatabaseDamagedError)) throw error;
  }
  const paused = await intake.end();
  return { notStored: intake.notStored, paused };
}

/** One COPY where that stays within the bound, ranges of chunks for a media that is larger. */
function* windowsOf(media: readonly Media[], windowBytes: number): Generator<ChunkWindow> {
  const withChunks = media.filter(({ size }) => size > 0);
  const [only] = withChunks;
  if (only === undefined) return;
  if (withChunks.length > 1 || only.size <= windowBytes) {
    yield { mediaIds: withChunks.map(({ id }) => id) };
    return;
  }
  const chunks = Math.ceil(only.size / CHUNK_BYTES);
  const step = Math.floor(windowBytes / CHUNK_BYTES);
  for (let fromSeq = 0; fromSeq < chunks; fromSeq += step) {
    // The last range has no end of its own, so that a chunk too many is seen and refused.
    const toSeq = fromSeq + step < chunks ? fromSeq + step - 1 : 2 ** 31 - 1;
    yield { mediaId: only.id, fromSeq, toSeq };
  }
}
