/// <reference lib="webworker" />
import { createHash, hash } from "node:crypto";
import { closeSync, constants, openSync, readSync } from "node:fs";

/** What a thread is told once: where to count the bytes read, and how fast it may read. */
export interface HashSetup {
  /** One counter for all threads: bytes read since the beginning. */
  readonly counter: SharedArrayBuffer;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** For all threads together; 0 for no limit. */
  readonly bytesPerSecond: number;
}

export type Hashed = { readonly sha256: string; readonly size: number } | {
  readonly error: string;
};

/** 256 KiB to 4 MiB read equally fast; below that, system calls begin to show. */
const buffer = new Uint8Array(1024 * 1024);
/** A name that has become a link or a FIFO since it was listed neither leads away nor hangs. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
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
    const fd = openSync(path, FLAGS);
    try {
      return hashDescriptor(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function hashDescriptor(fd: number): Hashed {
  let n = read(fd);
  // A one-shot hash saves a third of the time on files of 20 KB.
  if (n < buffer.length) {
    const more = n === 0 ? 0 : peek(fd, n);
    if (more === 0) return { sha256: hash("sha256", buffer.subarray(0, n), "hex"), size: n };
    n += more;
  }
  const sum = createHash("sha256");
  let size = 0;
  while (n > 0) {
    sum.update(buffer.subarray(0, n));
    size += n;
    n = read(fd);
  }
  return { sha256: sum.digest("hex"), size };
}

/** A short read need not be the end: reads on behind what is there. */
function peek(fd: number, filled: number): number {
  const n = readSync(fd, buffer, filled, buffer.length - filled, null);
  count(n);
  return n;
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
