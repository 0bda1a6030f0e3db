import { CHUNK_BYTES } from "../inbox/copy/chunk_bytes.ts";
import type { ChunkWindow } from "../inbox/copy/chunk_reader.ts";
import type { Media } from "../media.ts";

/**
 * What is to be read in which COPY: one for all where that stays within the bound, ranges of chunks for a
 * media that is larger. A COPY is a snapshot while it runs, so none may run for long.
 *
 * @param media by id; together at most `windowBytes`, or only one
 */
export function* chunkWindows(
  media: readonly Media[],
  windowBytes: number,
): Generator<ChunkWindow> {
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
