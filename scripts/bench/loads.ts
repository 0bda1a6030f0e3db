import { randomFillSync } from "node:crypto";
import type { MediaType } from "../../src/media.ts";

/** What comes in and is carried. */
export interface Load {
  /** How many media. */
  readonly count: number;
  /** Their kinds, in turn. */
  readonly kinds: readonly { readonly mediaType: MediaType; readonly bytes: Range }[];
  readonly owners: number;
}

/** From the first to the second. */
type Range = readonly [least: number, most: number];

export interface LoadedMedia {
  readonly ownerUuid: string;
  readonly itemUuid: string;
  readonly mediaType: MediaType;
  readonly ext: "jpg";
  /** Bytes. */
  readonly size: number;
}

/** Media of one size. */
export function ofSize(bytes: number, count: number, owners = 1): Load {
  return { count, kinds: [{ mediaType: "content", bytes: [bytes, bytes] }], owners };
}

export function* mediaOf({ count, kinds, owners }: Load): Generator<LoadedMedia> {
  const ownerUuids = Array.from({ length: owners }, () => crypto.randomUUID());
  let itemUuid = "";
  for (let i = 0; i < count; i++) {
    const kind = kinds[i % kinds.length];
    if (kind === undefined) throw new TypeError("a load has at least one kind of media");
    if (i % kinds.length === 0) itemUuid = crypto.randomUUID();
    const ownerUuid = ownerUuids[Math.floor(i / kinds.length) % owners] ?? "";
    yield {
      ownerUuid,
      itemUuid,
      mediaType: kind.mediaType,
      ext: "jpg",
      size: sizeOf(kind.bytes, i),
    };
  }
}

/** Sizes that are spread evenly, and the same in each round. */
function sizeOf([least, most]: Range, index: number): number {
  return Math.round(least + (most - least) * ((index * 0.618034) % 1));
}

/** What a quick run carries of it: enough to see that it works. */
export function shortened(load: Load): Load {
  const most = Math.max(1, Math.floor(QUICK_BYTES / (bytesOf(load) / load.count)));
  return { ...load, count: Math.min(load.count, QUICK_COUNT, most) };
}

const QUICK_COUNT = 12;
const QUICK_BYTES = 25e6;

export function bytesOf(load: Load): number {
  return [...mediaOf(load)].reduce((sum, { size }) => sum + size, 0);
}

/** As many random bytes as asked for, each time in the same memory. Pictures do not compress. */
export class RandomBytes {
  #memory = new Uint8Array(0);

  take(size: number): Uint8Array {
    if (this.#memory.length < size) this.#memory = new Uint8Array(size);
    const bytes = this.#memory.subarray(0, size);
    randomFillSync(bytes);
    return bytes;
  }
}
