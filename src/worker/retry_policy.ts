import { DatabaseUnavailableError, messageOf, StorageHeldError } from "../errors.ts";
import type { Logger } from "../log.ts";

/** A database that is away is asked seldom; a storage that another worker has is taken over in seconds. */
const LONGEST_PAUSE_MS = 30_000;
const LONGEST_STANDBY_MS = 2_000;

/** The same trouble is told again after so long. The predecessor wrote 26 MB about ten seconds. */
const TELL_AGAIN_MS = 60_000;

/** What a worker waits for, how long, and what it says meanwhile. */
export class RetryPolicy {
  readonly #log: Logger;
  readonly #patient: boolean;
  #told = { message: "", at: -Infinity };

  /** @param patient false: nothing is waited for, every error ends the worker */
  constructor(log: Logger, patient: boolean) {
    this.#log = log;
    this.#patient = patient;
  }

  readonly isTransient = (error: unknown): boolean =>
    this.#patient &&
    (error instanceof DatabaseUnavailableError || error instanceof StorageHeldError);

  readonly longestPauseMs = (error: unknown): number =>
    error instanceof StorageHeldError ? LONGEST_STANDBY_MS : LONGEST_PAUSE_MS;

  readonly onPause = (error: unknown): void => {
    const message = messageOf(error);
    const now = performance.now();
    if (message === this.#told.message && now - this.#told.at < TELL_AGAIN_MS) return;
    this.#told = { message, at: now };
    const standsBy = error instanceof StorageHeldError;
    this.#log.warn(standsBy ? "standing by: {message}" : "waiting: {message}", { message });
  };
}
