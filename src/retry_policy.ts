import { DatabaseUnavailableError, messageOf, StorageHeldError } from "./errors.ts";
import type { Logger } from "./log.ts";

/** A database that is away is asked seldom; a storage that another worker has is taken over in seconds. */
const LONGEST_DELAY_MS = 30_000;
/** Where another server may take over: with 30 s the receipts came up to 30 s after its promotion. */
const LONGEST_FAILOVER_MS = 3_000;
const LONGEST_STANDBY_MS = 2_000;

/** The same trouble is logged again after so long. The predecessor wrote 26 MB about ten seconds. */
const SAY_AGAIN_MS = 60_000;

/** What a worker waits for, how long, and what it says meanwhile. */
export class RetryPolicy {
  readonly #log: Logger;
  readonly #isPatient: boolean;
  readonly #longestMs: number;
  #said = { message: "", at: -Infinity };

  /**
   * @param isPatient false: nothing is waited for, every error ends the worker
   * @param servers how many there are that may have the database
   */
  constructor(log: Logger, isPatient: boolean, servers: number) {
    this.#log = log;
    this.#isPatient = isPatient;
    this.#longestMs = servers > 1 ? LONGEST_FAILOVER_MS : LONGEST_DELAY_MS;
  }

  readonly isTransient = (error: unknown): boolean =>
    this.#isPatient &&
    (error instanceof DatabaseUnavailableError || error instanceof StorageHeldError);

  readonly longestDelayMs = (error: unknown): number =>
    error instanceof StorageHeldError ? LONGEST_STANDBY_MS : this.#longestMs;

  readonly onDelay = (error: unknown): void => {
    const message = messageOf(error);
    const now = performance.now();
    if (message === this.#said.message && now - this.#said.at < SAY_AGAIN_MS) return;
    this.#said = { message, at: now };
    const standsBy = error instanceof StorageHeldError;
    this.#log.warn(standsBy ? "standing by: {message}" : "waiting: {message}", { message });
  };
}
