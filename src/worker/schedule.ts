/** Two clocks may differ by a little: never again at once. */
const SHORTEST_MS = 250;

/**
 * When the inbox is swept and looked at again though nothing woke the worker. Notifications are hints that can
 * be lost; this is what makes the loop correct.
 */
export class Schedule {
  readonly #pollMs: number;
  #sweepAt = 0;

  /** @param pollInterval seconds */
  constructor(pollInterval: number) {
    this.#pollMs = pollInterval * 1000;
  }

  /** When the inbox is to be swept next, as `performance.now()` counts. */
  get sweepAt(): number {
    return this.#sweepAt;
  }

  /** @param nextAttemptInMs when a media that failed may be tried again, or null */
  swept(nextAttemptInMs: number | null): void {
    const waitMs = Math.min(this.#pollMs, nextAttemptInMs ?? Infinity);
    this.#sweepAt = performance.now() + Math.max(waitMs, SHORTEST_MS);
  }

  /** A media failed: only a sweep says when it may be tried again. */
  sweepNow(): void {
    this.#sweepAt = 0;
  }

  /** Milliseconds until then. */
  get dueInMs(): number {
    return this.#sweepAt - performance.now();
  }
}
