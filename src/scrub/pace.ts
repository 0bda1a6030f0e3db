import { sleep } from "../sleep.ts";

/** Waiting less than this costs more than it spares. */
const LEAST_SLEEP_MS = 20;

/** Between two turns of the event loop, in which signals are heard. */
const TURN_MS = 50;

/** A disk that needs longer for a MiB is busy with something else. */
const SLOW_MS_PER_MIB = 200;

/** A share of the pace while the storage's worker is storing. */
const BESIDE_WORKER = 0.25;

const MiB = 1024 * 1024;

export interface PaceOptions {
  /** Units (bytes, or files) per second; Infinity for as fast as it goes. */
  readonly perSecond: () => number;
  /** Whether the storage's worker is storing at this moment. */
  readonly isWorkerStoring: () => boolean;
  readonly stop: AbortSignal;
}

/** Keeps a look from using the disk more than it must: sleeps after what was read, as long as it takes. */
export class Pace {
  #owedMs = 0;
  #turnedAt = performance.now();

  constructor(private readonly options: PaceOptions) {}

  /**
   * To be called after something was read.
   *
   * @param units read
   * @param tookMs how long that took
   * @returns null if there is no need to wait
   */
  after(units: number, tookMs: number): Promise<void> | null {
    const { perSecond, isWorkerStoring, stop } = this.options;
    const rate = perSecond();
    if (Number.isFinite(rate)) {
      const share = isWorkerStoring() ? BESIDE_WORKER : 1;
      const dueMs = units / (rate * share) * 1000;
      this.#owedMs = Math.max(0, this.#owedMs + dueMs - tookMs);
      // Whoever it is that makes the disk slow gets as much of it as this look.
      if (tookMs > SLOW_MS_PER_MIB * Math.max(1, units / MiB)) {
        this.#owedMs = Math.max(this.#owedMs, tookMs);
      }
    }
    if (this.#owedMs >= LEAST_SLEEP_MS) {
      const ms = this.#owedMs;
      this.#owedMs = 0;
      this.#turnedAt = performance.now() + ms;
      return sleep(ms, stop);
    }
    if (performance.now() - this.#turnedAt < TURN_MS) return null;
    this.#turnedAt = performance.now();
    return new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/**
 * How many units a second bring a look to its end in time: what is left, in nine tenths of the time that is
 * left. Nothing holds up a look that is late.
 *
 * @param total units there are at most @param done units
 * @param leftMs until it should be done
 * @param least units per second, so that a small storage is not read a byte at a time
 */
export function rateFor(total: number, done: number, leftMs: number, least: number): number {
  if (leftMs <= 0) return Infinity;
  return Math.max(least, Math.max(0, total - done) / (0.9 * leftMs / 1000));
}
