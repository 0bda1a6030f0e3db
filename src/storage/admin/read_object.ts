import { closeSync, readSync } from "node:fs";
import type { GuardedTree } from "./guarded_tree.ts";

/** A file's bytes, in order. A piece is good until the next one is asked for. */
export type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const PIECE = 1024 * 1024;

/**
 * A regular file's bytes in pieces of up to 1 MiB; the buffer is used again for the next. Neither follows
 * a link nor hangs on a FIFO.
 *
 * @param path relative to the tree's root
 * @throws {Error} it is none, or cannot be read
 */
export function* readPieces(tree: GuardedTree, path: string): Generator<Uint8Array> {
  const fd = tree.openRead(path);
  try {
    yield* readDescriptor(fd);
  } finally {
    closeSync(fd);
  }
}

/** As `readPieces`, of a file that is open. */
export function* readDescriptor(fd: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(PIECE);
  for (let at = 0;;) {
    const n = readSync(fd, buffer, 0, buffer.length, at);
    if (n === 0) return;
    at += n;
    yield buffer.subarray(0, n);
  }
}

/** The beginning of a text file that is open: at most one byte more than `most`. */
export function readStart(fd: number, most: number): string {
  const bytes = new Uint8Array(most + 1);
  let length = 0;
  for (let n = 1; n > 0 && length < bytes.length; length += n) {
    n = readSync(fd, bytes, length, bytes.length - length, length);
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

/** A small file's bytes: as many as there are, and at most one more than expected. */
export async function readSmall(pieces: Pieces, expected: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(expected + 1);
  let length = 0;
  for await (const piece of pieces) {
    const taken = piece.subarray(0, bytes.length - length);
    bytes.set(taken, length);
    length += taken.length;
    if (length === bytes.length) break;
  }
  return bytes.subarray(0, length);
}
