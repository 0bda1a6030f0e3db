/** A restart of PostgreSQL is over in 1 to 5 s. */
const FIRST_PAUSE_MS = 250;

/** What the retried work may tell and ask. */
export interface Attempt {
  /** To be called once the trouble is over, so that the next one begins with short pauses again. */
  succeeded(): void;
}

/**
 * Runs `work` until it returns, pausing after each error that `isTransient`: longer each time, and by a
 * random share ("full jitter", Brooker, AWS Architecture Blog 2015), so that workers that lost the same
 * database do not come back in step. The only place where anything is retried.
 *
 * @param stop ends the waiting; the last error is thrown then
 * @param onPause told before each pause, with its milliseconds
 */
export async function retrying<T>(
  work: (attempt: Attempt) => Promise<T>,
  options: {
    readonly isTransient: (error: unknown) => boolean;
    /** The longest pause after such an error, in milliseconds. */
    readonly longestPauseMs: (error: unknown) => number;
    readonly stop: AbortSignal;
    readonly onPause: (error: unknown, pauseMs: number) => void;
  },
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await work({ succeeded: () => failures = 0 });
    } catch (error) {
      if (options.stop.aborted || !options.isTransient(error)) throw error;
      const ceiling = Math.min(options.longestPauseMs(error), FIRST_PAUSE_MS * 2 ** failures);
      const pauseMs = Math.round(ceiling * (0.5 + Math.random() / 2));
      failures += 1;
      options.onPause(error, pauseMs);
      await pause(pauseMs, options.stop);
      if (options.stop.aborted) throw error;
    }
  }
}

/** Resolves after so many milliseconds, or as soon as one of the signals is aborted. */
export function pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    for (const signal of signals) {
      if (signal.aborted) return end();
      signal.addEventListener("abort", end, { once: true });
    }
  });
}
