import type { StoragePausedError } from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import type { LaneShare } from "./lane_share.ts";
import { pending } from "../inbox/delivery_calls.ts";
import type { WorkerContext } from "./worker_context.ts";
import { sleep } from "../sleep.ts";

/** While a storage is paused it is asked again after 1, 2, 4, … seconds, 20 at the most. */
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 20_000;

/** Waits for a storage that takes nothing for now. */
export class PausedStorage {
  /** Until it is asked again; grows until something is stored. */
  #delayMs = FIRST_DELAY_MS;

  constructor(
    private readonly session: InboxSession,
    private readonly context: WorkerContext,
    private readonly lanes: LaneShare,
  ) {}

  /** Something was stored: the next pause is a new one. */
  hasPassed(): void {
    this.#delayMs = FIRST_DELAY_MS;
  }

  /**
   * Waits until the storage would take the next media, or lanes are to be given, or the worker is stopped.
   *
   * @throws {DatabaseUnavailableError} the session ended meanwhile
   */
  async waitOut(pause: StoragePausedError): Promise<void> {
    const { storage, heartbeat, log, stop } = this.context;
    const { ended } = this.session;
    log.error("paused ({reason}): {message}", { reason: pause.reason, message: pause.message });
    await heartbeat.become(this.session, "paused", pause.message);
    for (;;) {
      const { due } = this.lanes;
      await sleep(this.#delayMs, ended, stop, due);
      this.#delayMs = Math.min(2 * this.#delayMs, LONGEST_DELAY_MS);
      if (ended.aborted) throw ended.reason;
      if (stop.aborted || due.aborted) return;
      const [next] = await pending(this.session, 0n, 1);
      if (await storage.wouldAccept(next?.media.size ?? 0)) return;
    }
  }
}
