/// <reference lib="webworker" />
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
} from "node:fs";

/** What a thread is given once: where to count the bytes read, and how fast it may read. */
export interface HashSetup {
  /** One counter for all threads: bytes read since the beginning. */
  readonly counter: SharedArrayBuffer;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** For all threads together; 0 for no limit. */
  readonly bytesPerSecond: number;
}

/** Which file was hashed, and how it was by then: a change shows in its size or times. */
export interface HashedFile {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

export type Hashed = { readonly sha256: string; readonly file: HashedFile } | {
  readonly error: string;
};

/** Of 64 KiB to 4 MiB, none was reliably faster. */
const buffer = new Uint8Array(1024 * 1024);
/** A name that becomes a FIFO after it was looked at does not hang. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
const nap = new Int32Array(new SharedArrayBuffer(4));
let setup: HashSetup;
let counter: BigInt64Array;

self.onmessage = (event: MessageEvent<HashSetup | string[]>) => {
  if (Array.isArray(event.data)) {
    self.postMessage(event.data.map(hashFile));
    return;
  }
  setup = event.data;
  counter = new BigInt64Array(setup.counter);
};

function hashFile(path: string): Hashed {
  try {
    // Links are not followed; whether the file is the one that was meant, whoever asked compares.
    const looked = lstatSync(path);
    if (!looked.isFile()) return { error: "is not a regular file" };
    const fd = openSync(path, FLAGS);
    try {
      const opened = fstatSync(fd);
      const same = opened.dev === looked.dev && opened.ino === looked.ino;
      return same ? hashDescriptor(fd, opened) : { error: "was replaced while it was opened" };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // This module imports no other of the project, see THREAD in hash_pool.ts.
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function hashDescriptor(fd: number, before: Stats): Hashed {
  const sum = createHash("sha256");
  let size = 0;
  for (let n = read(fd); n > 0; n = read(fd)) {
    sum.update(buffer.subarray(0, n));
    size += n;
  }
  const { dev, ino, mtimeMs, ctimeMs } = before;
  return { sha256: sum.digest("hex"), file: { dev, ino, size, mtimeMs, ctimeMs } };
}

function read(fd: number): number {
  const n = readSync(fd, buffer, 0, buffer.length, null);
  count(n);
  return n;
}

function count(n: number): void {
  const total = Number(Atomics.add(counter, 0, BigInt(n))) + n;
  if (setup.bytesPerSecond === 0) return;
  const early = setup.startedAt + total / setup.bytesPerSecond * 1000 - Date.now();
  if (early > 0) Atomics.wait(nap, 0, 0, early);
}
