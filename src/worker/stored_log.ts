import type { Logger } from "../log.ts";
import { showBytes } from "../units.ts";

/** A line about what was stored comes at once, the next one so much later: not one for each picture. */
const SAY_EVERY_MS = 10_000;

/** Says in the log how much was stored, in few lines. */
export class StoredLog {
  #media = 0;
  #bytes = 0;
  #seconds = 0;
  #saidAt = -Infinity;

  constructor(private readonly log: Logger) {}

  /** Milliseconds until there is something to say; Infinity where there is nothing. */
  get dueInMs(): number {
    return this.#media === 0 ? Infinity : this.#saidAt + SAY_EVERY_MS - performance.now();
  }

  /** @param seconds spent on storing them */
  add(media: number, bytes: number, seconds: number): void {
    if (media === 0) return;
    this.#media += media;
    this.#bytes += bytes;
    this.#seconds += seconds;
  }

  sayIfDue(): void {
    if (this.dueInMs <= 0) this.say();
  }

  say(): void {
    if (this.#media === 0) return;
    this.log.info("stored {media} media, {bytes} in {seconds} s", {
      media: this.#media,
      bytes: showBytes(this.#bytes),
      seconds: this.#seconds.toFixed(2),
    });
    this.#media = this.#bytes = this.#seconds = 0;
    this.#saidAt = performance.now();
  }
}
