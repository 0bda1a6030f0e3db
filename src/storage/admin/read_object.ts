import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const PIECE = 1024 * 1024;

/**
 * A regular file's bytes in pieces of up to 1 MiB; the buffer is used again for the next. Neither follows
 * a link in the file's place nor hangs on a FIFO.
 *
 * @throws {Error} it is none, or cannot be read
 */
export function* readPieces(path: string): Generator<Uint8Array> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`${path} is not a regular file`);
    const buffer = new Uint8Array(PIECE);
    for (let n = readSync(fd, buffer); n > 0; n = readSync(fd, buffer)) {
      yield buffer.subarray(0, n);
    }
  } finally {
    closeSync(fd);
  }
}

/** A small file's bytes: as many as there are, and at most one more than expected. */
export function readSmall(path: string, expected: number): Uint8Array {
  const bytes = new Uint8Array(expected + 1);
  let length = 0;
  for (const piece of readPieces(path)) {
    const taken = piece.subarray(0, bytes.length - length);
    bytes.set(taken, length);
    length += taken.length;
    if (length === bytes.length) break;
  }
  return bytes.subarray(0, length);
}
