import type { Wake } from "./wake.ts";

/** Two clocks may differ by a little: never again at once. */
const SHORTEST_MS = 250;

/**
 * When the inbox is looked at again though nothing woke the worker, and the one wait between two passes.
 * Notifications are hints that can be lost; this is what makes the loop correct.
 */
export class Schedule {
  readonly #pollMs: number;
  readonly #wake: Wake;
  #sweepAt = 0;

  /** @param pollInterval seconds */
  constructor(pollInterval: number, wake: Wake) {
    this.#pollMs = pollInterval * 1000;
    this.#wake = wake;
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

  /**
   * Waits until the next sweep is due, unless something wakes the worker before.
   *
   * @param mostMs something else is due by then
   */
  async wait(mostMs: number, ...signals: readonly AbortSignal[]): Promise<void> {
    await this.#wake.wait(Math.min(this.#sweepAt - performance.now(), mostMs), ...signals);
  }
}
