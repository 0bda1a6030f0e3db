import { asError } from "../errors.ts";
import { lanesDue, takeLanes } from "../inbox/lane_calls.ts";
import type { InboxSession } from "../inbox/session.ts";
import { sleep } from "../sleep.ts";

/** Where a storage has several lanes, how often a worker looks whether it should take or give some. */
const LOOK_EVERY_MS = 1_000;

/**
 * A session's share of its storage's lanes. It changes only in `settle`, while the worker has nothing under
 * way; `due` says that it should.
 */
export class LaneShare {
  readonly #session: InboxSession;
  #due = new AbortController();

  constructor(session: InboxSession) {
    this.#session = session;
  }

  /** Aborted when lanes are to be taken or given: what is under way is to be finished, and no more begun. */
  get due(): AbortSignal {
    return this.#due.signal;
  }

  /** @param count how many lanes the storage has, as a heartbeat says; 0: nothing may go on */
  note(count: number): void {
    if (count !== this.#session.lanes.count) this.lookNow();
  }

  /** Something may be to be taken or given; `settle` finds out. */
  lookNow(): void {
    this.#due.abort();
  }

  /** Looks again and again until the session has ended. With one lane there is nothing to share. */
  async keepLooking(): Promise<void> {
    const { ended } = this.#session;
    if (this.#session.lanes.count === 1) return;
    while (!ended.aborted) {
      await sleep(LOOK_EVERY_MS, ended);
      try {
        if (!this.due.aborted && await lanesDue(this.#session)) this.lookNow();
      } catch (error) {
        this.#session.end(asError(error));
      }
    }
  }

  /**
   * Takes and gives lanes. Errors as `takeLanes`.
   *
   * @returns as `takeLanes`
   */
  async settle(): Promise<readonly number[] | null> {
    this.#due = new AbortController();
    return await takeLanes(this.#session);
  }
}
