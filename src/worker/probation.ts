import { StoragePausedError } from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import { cancelAttempt, type Delivery, startAttempt } from "../inbox/delivery_calls.ts";

/**
 * After a worker died while storing, this many media go alone: all that it can have had in flight, three
 * groups of the largest default size.
 */
const MOST_IN_FLIGHT = 3 * 1024;

/**
 * Keeps a media that kills the worker from killing it for ever: what may be dangerous goes alone, and its
 * attempt is counted in the inbox before it is made, so that it gets parked after a few deaths.
 *
 * One for the life of the process, since it outlives sessions: counting an attempt again after each lost
 * connection would park a large media on a bad line.
 */
export class Probation {
  /** How many media are still to go alone. */
  #left = 0;
  /** Media whose attempt this process has counted and not finished. */
  readonly #startedAttempts = new Set<bigint>();

  /** A worker died while it was storing, and what it had in flight is this one's now. */
  suspect(): void {
    this.#left = MOST_IN_FLIGHT;
  }

  /** Nothing is owed: what was in flight at that death has been stored since. */
  end(): void {
    this.#left = 0;
  }

  /** Whether a media must go alone: it has failed before, or may have killed the worker before. */
  goesAlone({ attempts }: Delivery): boolean {
    return attempts > 0 || this.#left > 0;
  }

  /**
   * Makes an attempt with one media alone, counted before it is made, unless the storage pauses meanwhile:
   * that is no fault of the media's.
   *
   * @param make its error is thrown on; after any but a pause the attempt stays counted
   * @returns false where its attempts were used up, or it is owed no longer: it was not made
   */
  async attempt(session: InboxSession, id: bigint, make: () => Promise<void>): Promise<boolean> {
    if (this.#left > 0) this.#left -= 1;
    if (!this.#startedAttempts.has(id) && !await startAttempt(session, id)) return false;
    this.#startedAttempts.add(id);
    try {
      await make();
    } catch (error) {
      if (!(error instanceof StoragePausedError)) throw error;
      await cancelAttempt(session, id);
      this.#startedAttempts.delete(id);
      throw error;
    }
    this.#startedAttempts.delete(id);
    return true;
  }
}
