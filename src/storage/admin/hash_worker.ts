/// <reference lib="webworker" />
import { createHash } from "node:crypto";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { messageOf } from "../../errors.ts";

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

/** Of 64 KiB to 4 MiB, none was reliably faster. */
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
    return { error: messageOf(error) };
  }
}

function hashDescriptor(fd: number): Hashed {
  const sum = createHash("sha256");
  let size = 0;
  for (let n = read(fd); n > 0; n = read(fd)) {
    sum.update(buffer.subarray(0, n));
    size += n;
  }
  return { sha256: sum.digest("hex"), size };
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
