import { asError } from "../errors.ts";
import type { StatusSession } from "../inbox/status/status_session.ts";
import type { Logger } from "../log.ts";

/** The last answer to a question, and how it stands with the next. */
export interface Answer<T> {
  /** Null if there has been none. */
  readonly value: T | null;
  /** Seconds since it came. */
  readonly age: number;
  /** Why there is no newer one; null if this is one. */
  readonly error: Error | null;
}

/** How often, at the most, a question is asked. */
export interface Bounds {
  /** What an answer may take. */
  readonly ms: number;
  /** For how long at least an answer holds. */
  readonly freshMs: number;
  /** An answer holds for this many times as long as it took, up to `staleMs`. */
  readonly share: number;
  readonly staleMs: number;
}

/**
 * One question, asked when somebody wants to know and the last answer no longer holds. Whoever comes
 * meanwhile gets the same answer.
 */
export class Question<T> implements Disposable {
  #session: StatusSession | null = null;
  #running: Promise<void> | null = null;
  #value: T | null = null;
  #error: Error | null = null;
  #answeredAt = 0;
  /** When the present answer, good or bad, no longer holds. */
  #staleAt = -Infinity;

  constructor(
    private readonly open: () => Promise<StatusSession>,
    private readonly question: (session: StatusSession) => Promise<T>,
    private readonly bounds: Bounds,
    private readonly log: Logger,
  ) {}

  async ask(): Promise<Answer<T>> {
    if (performance.now() >= this.#staleAt) {
      this.#running ??= this.#askNow().finally(() => this.#running = null);
    }
    await this.#running;
    return this.last();
  }

  /** Without asking. */
  last(): Answer<T> {
    const age = this.#value === null ? 0 : (performance.now() - this.#answeredAt) / 1000;
    return { value: this.#value, age, error: this.#error };
  }

  [Symbol.dispose](): void {
    this.#session?.[Symbol.dispose]();
  }

  async #askNow(): Promise<void> {
    const { ms, freshMs, share, staleMs } = this.bounds;
    let tookMs = 0;
    try {
      const session = this.#session ??= await this.open();
      const began = performance.now();
      this.#value = await session.within(ms, () => this.question(session));
      this.#answeredAt = performance.now();
      tookMs = this.#answeredAt - began;
      if (this.#error !== null) this.log.info("the database answers again");
      this.#error = null;
    } catch (thrown) {
      this.#session?.[Symbol.dispose]();
      this.#session = null;
      const error = asError(thrown);
      if (this.#error?.message !== error.message) {
        this.log.error("{message}; the last answer is shown", { message: error.message });
      }
      this.#error = error;
    }
    this.#staleAt = performance.now() + Math.max(freshMs, Math.min(tookMs * share, staleMs));
  }
}
