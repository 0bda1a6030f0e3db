import type { InboxSession } from "../inbox/session.ts";
import { fallAsleep, stayAwake } from "../inbox/lane_calls.ts";
import type { Wake } from "../wake.ts";

/** Half the time that a submit of 300 KB takes. */
const FIRST_MS = 4;
/** The bound that is promised: how long a media can lie there unannounced. */
const LONGEST_MS = 1_000;

/**
 * How a worker waits while nothing is owed. It sleeps until it is notified, but only while the inbox says
 * that every submit sees it asleep and notifies; until then it comes back by itself, soon at first.
 *
 * With nothing under way it falls asleep at once, so a single upload is met as soon as it is committed. With
 * many sessions there is nearly always one that has not ended, so under load nobody notifies.
 */
export class IdleWait {
  #asleep = false;
  #nextMs = FIRST_MS;

  constructor(private readonly session: InboxSession, private readonly wake: Wake) {}

  /**
   * After a look that found nothing: resolves when it is time for the next.
   *
   * @param longestMs wait no longer, in milliseconds
   */
  async untilNextLook(longestMs: number, ...signals: readonly AbortSignal[]): Promise<void> {
    this.#asleep ||= await fallAsleep(this.session);
    await this.wake.wait(this.#asleep ? longestMs : Math.min(this.#nextMs, longestMs), ...signals);
    this.#nextMs = Math.min(2 * this.#nextMs, LONGEST_MS);
  }

  /** After a look that found something. The work need not wait for it. */
  async rouse(): Promise<void> {
    this.#nextMs = FIRST_MS;
    if (!this.#asleep) return;
    this.#asleep = false;
    await stayAwake(this.session);
  }
}
