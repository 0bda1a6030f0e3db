import { createHash } from "node:crypto";
import { MediaDefectError, StoragePausedError } from "../errors.ts";
import type { Media } from "../media.ts";
import { fsyncFailure } from "./failures.ts";
import type { NewObject } from "./objects.ts";
import type { Promised } from "./space.ts";
import type { ObjectWriter } from "./storage.ts";
import type { Store } from "./store.ts";

/** Counts and hashes what comes of a media, and says at the end whether it was the media. */
class Check {
  readonly #hash = createHash("sha256");
  #size = 0;

  constructor(private readonly media: Media) {}

  add(piece: Uint8Array): void {
    this.#size += piece.length;
    if (this.#size > this.media.size) throw sizeDefect(this.media, this.#size, "at least ");
    this.#hash.update(piece);
  }

  end(): void {
    if (this.#size !== this.media.size) throw sizeDefect(this.media, this.#size);
    const sha256 = this.#hash.digest("hex");
    if (sha256 !== this.media.sha256) throw hashDefect(this.media, sha256);
  }
}

export function sizeDefect(media: Media, size: number, about = ""): MediaDefectError {
  return new MediaDefectError(
    media.id,
    `the inbox holds ${about}${size} bytes, the media has ${media.size}`,
  );
}

export function hashDefect(media: Media, sha256: string): MediaDefectError {
  return new MediaDefectError(
    media.id,
    `the inbox holds bytes with SHA-256 ${sha256}, the media has ${media.sha256}`,
  );
}

/**
 * So many bytes after the last one a fdatasync is begun while more come in, so that the disk does not rest
 * until the last byte is there: 200 MB that came at 250 MB/s were durable 25 ms later instead of 140.
 */
const FLUSH_BYTES = 16 * 1024 * 1024;

/** Writes each piece as it comes. */
export class FileWriter implements ObjectWriter {
  readonly #check: Check;
  #open = true;
  #unflushed = 0;
  #flushing: Promise<void> | null = null;

  /** @param onWhole takes over the object, which is whole but not synced */
  constructor(
    private readonly store: Store,
    private readonly media: Media,
    private readonly object: NewObject,
    private readonly promised: Promised,
    private readonly onWhole: () => Promise<void>,
  ) {
    this.#check = new Check(media);
  }

  // deno-lint-ignore require-await -- an error is a rejection, whenever it is met
  async write(piece: Uint8Array): Promise<void> {
    this.#requireOpen();
    try {
      this.store.requireSound();
      this.#check.add(piece);
    } catch (error) {
      this.abandon();
      throw error;
    }
    try {
      writeAll(this.store, this.object, this.media.id, piece);
    } catch (error) {
      this.#finish();
      throw error;
    }
    this.promised.remaining -= piece.length;
    this.#unflushed += piece.length;
    if (this.#unflushed >= FLUSH_BYTES && this.#flushing === null) this.#flush();
  }

  async close(): Promise<void> {
    this.#requireOpen();
    try {
      await this.#flushing;
      this.store.requireSound();
      this.#check.end();
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.#finish();
    await this.onWhole();
  }

  abandon(): void {
    if (!this.#open) return;
    this.#finish();
    this.store.calls.close(this.object.file);
  }

  /** Where all slots are taken the disk has enough to do. */
  #flush(): void {
    const { calls, slots } = this.store;
    if (!slots.tryTake()) return;
    this.#unflushed = 0;
    const flush = async () => {
      try {
        await calls.syncData(this.object.file);
      } catch (error) {
        this.store.note(fsyncFailure(error, this.object.path));
      } finally {
        this.#flushing = null;
        slots.give();
      }
    };
    this.#flushing = flush();
  }

  #finish(): void {
    this.#open = false;
    this.store.space.release(this.promised);
  }

  #requireOpen(): void {
    if (!this.#open) throw new TypeError("this object is closed, or was given up");
  }
}

/** Takes the bytes of a media that needs no object any more, and only checks them. */
export class CheckingWriter implements ObjectWriter {
  readonly #check: Check;

  constructor(media: Media, private readonly onWhole: () => void) {
    this.#check = new Check(media);
  }

  // deno-lint-ignore require-await -- as above
  async write(piece: Uint8Array): Promise<void> {
    this.#check.add(piece);
  }

  // deno-lint-ignore require-await -- as above
  async close(): Promise<void> {
    this.#check.end();
    this.onWhole();
  }

  abandon(): void {}
}

/**
 * Writes all the bytes. A failed write is never retried on its file, which is closed here, or kept open
 * where the disk is full.
 */
export function writeAll(
  store: Store,
  { file, path }: NewObject,
  mediaId: bigint,
  bytes: Uint8Array,
): void {
  try {
    for (let written = 0; written < bytes.length;) {
      const count = store.calls.write(file, written === 0 ? bytes : bytes.subarray(written));
      if (count <= 0) throw new Error(`a write to ${path} took nothing and gave no reason`);
      written += count;
    }
  } catch (error) {
    const failure = store.noteChange(error, `write ${path}`, mediaId);
    if (failure instanceof StoragePausedError) store.pause.keepOrphan(file);
    else store.calls.close(file);
    throw failure;
  }
}
