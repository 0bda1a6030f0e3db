import type { Media } from "../media.ts";
import { MediaCheck } from "./media_check.ts";
import type { NewObject } from "./new_object.ts";
import type { Reservation } from "./space.ts";
import type { ObjectWriter } from "./storage.ts";
import type { Store } from "./store.ts";

/**
 * After this many bytes since the last one a fdatasync is begun while more come in, so that the disk does
 * not rest until the last byte is there: 200 MB that came at 250 MB/s were durable 25 ms later instead of
 * 140.
 */
const FLUSH_BYTES = 16 * 1024 * 1024;

/** Writes each piece as it comes. */
export class FileWriter implements ObjectWriter {
  readonly #store: Store;
  readonly #object: NewObject;
  readonly #check: MediaCheck;
  readonly #reservation: Reservation;
  readonly #onWhole: () => Promise<void>;
  #open = true;
  #unflushed = 0;
  #flushing: Promise<void> | null = null;

  /** @param onWhole takes over the object, which is whole but not synced */
  constructor(store: Store, media: Media, object: NewObject, onWhole: () => Promise<void>) {
    this.#store = store;
    this.#object = object;
    this.#check = new MediaCheck(media);
    this.#reservation = store.space.reserve(media.size);
    this.#onWhole = onWhole;
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#requireOpen();
    try {
      this.#store.requireSound();
      this.#check.add(piece);
    } catch (error) {
      this.abandon();
      throw error;
    }
    try {
      await this.#object.write(piece);
    } catch (error) {
      this.#finish();
      throw error;
    }
    this.#reservation.use(piece.length);
    this.#unflushed += piece.length;
    if (this.#unflushed >= FLUSH_BYTES && this.#flushing === null) this.#flush();
  }

  async close(): Promise<void> {
    this.#requireOpen();
    try {
      await this.#flushing;
      this.#store.requireSound();
      this.#check.end();
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.#finish();
    await this.#onWhole();
  }

  abandon(): void {
    if (!this.#open) return;
    this.#finish();
    this.#object.close();
  }

  /** If all slots are taken the disk has enough to do. */
  #flush(): void {
    const { slots } = this.#store;
    if (!slots.tryTake()) return;
    this.#unflushed = 0;
    this.#flushing = this.#object.syncData().finally(() => {
      this.#flushing = null;
      slots.give();
    });
  }

  #finish(): void {
    this.#open = false;
    this.#reservation.end();
  }

  #requireOpen(): void {
    if (!this.#open) throw new TypeError("this object is closed, or was given up");
  }
}

/** Takes the bytes of a media that needs no object any more, and only checks them. */
export class CheckingWriter implements ObjectWriter {
  readonly #check: MediaCheck;
  readonly #onWhole: () => void;

  constructor(media: Media, onWhole: () => void) {
    this.#check = new MediaCheck(media);
    this.#onWhole = onWhole;
  }

  // deno-lint-ignore require-await -- an error is a rejection, whenever it is met
  async write(piece: Uint8Array): Promise<void> {
    this.#check.add(piece);
  }

  // deno-lint-ignore require-await -- as above
  async close(): Promise<void> {
    this.#check.end();
    this.#onWhole();
  }

  abandon(): void {}
}
