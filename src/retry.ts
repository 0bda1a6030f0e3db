import { sleep } from "./sleep.ts";

/** A restart of PostgreSQL is over in 1 to 5 s. */
const FIRST_DELAY_MS = 250;

/** What the retried work may say. */
export interface Attempt {
  /** The trouble is over: the next one begins with short delays again. */
  succeeded(): void;
}

/** What is tried again, and how often. */
export interface Retrying {
  readonly isTransient: (error: unknown) => boolean;
  /** The longest delay after such an error, in milliseconds. */
  readonly longestDelayMs: (error: unknown) => number;
  /** Called before each delay. */
  readonly onDelay: (error: unknown) => void;
  /** Ends the waiting; the last error is thrown then. */
  readonly stop: AbortSignal;
}

/**
 * Runs `work` until it returns, with a delay after each error that `isTransient`: longer each time, and by
 * a random share ("full jitter", Brooker, AWS Architecture Blog 2015), so that workers that lost the same
 * database do not come back in step. The only place where anything is retried.
 */
export async function retrying<T>(
  work: (attempt: Attempt) => Promise<T>,
  { isTransient, longestDelayMs, onDelay, stop }: Retrying,
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await work({ succeeded: () => failures = 0 });
    } catch (error) {
      if (stop.aborted || !isTransient(error)) throw error;
      const ceiling = Math.min(longestDelayMs(error), FIRST_DELAY_MS * 2 ** failures);
      failures += 1;
      onDelay(error);
      await sleep(Math.round(ceiling * (0.5 + Math.random() / 2)), stop);
      if (stop.aborted) throw error;
    }
  }
}
