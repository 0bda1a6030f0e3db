import { showBytes } from "../units.ts";
import type { Logger } from "../log.ts";

/** A line about what was stored comes at once, the next one so much later: not one for each picture. */
const TELL_EVERY_MS = 10_000;

/** Tells how much was stored, in few lines. */
export class StoredLog {
  #media = 0;
  #bytes = 0;
  #seconds = 0;
  #toldAt = -Infinity;

  /** Milliseconds until there is something to tell; Infinity where there is nothing. */
  get dueInMs(): number {
    return this.#media === 0 ? Infinity : this.#toldAt + TELL_EVERY_MS - performance.now();
  }

  /** @param seconds spent on storing them */
  add(media: number, bytes: number, seconds: number): void {
    this.#media += media;
    this.#bytes += bytes;
    if (media > 0) this.#seconds += seconds;
  }

  tellIfDue(log: Logger): void {
    if (this.dueInMs <= 0) this.tell(log);
  }

  tell(log: Logger): void {
    if (this.#media === 0) return;
    log.info("stored {media} media, {bytes} in {seconds} s", {
      media: this.#media,
      bytes: showBytes(this.#bytes),
      seconds: this.#seconds.toFixed(2),
    });
    this.#media = this.#bytes = this.#seconds = 0;
    this.#toldAt = performance.now();
  }
}
