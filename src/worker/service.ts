import { DatabaseDamagedError, StoragePausedError } from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import { type Delivery, pending, sweep, takeStorage } from "../inbox/worker_calls.ts";
import { requireInbox } from "../storage/identity.ts";
import { PAGE, Pass } from "./pass.ts";
import { PausedStorage } from "./paused_storage.ts";
import type { Attempt } from "../retry.ts";
import { IdleWait } from "./idle_wait.ts";
import { Schedule } from "./schedule.ts";
import { StoredLog } from "./stored_log.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Serves one session, which has taken the storage: passes over what is owed, waits, passes again. */
export class Service {
  readonly #session: InboxSession;
  readonly #context: WorkerContext;
  readonly #schedule: Schedule;
  readonly #idle: IdleWait;
  readonly #storedLog: StoredLog;
  readonly #paused: PausedStorage;
  /** The storage was paused: the next media goes first and alone, to show whether it takes them again. */
  #isProbing = false;

  private constructor(session: InboxSession, context: WorkerContext) {
    this.#session = session;
    this.#context = context;
    this.#schedule = new Schedule(context.options.pollInterval);
    this.#idle = new IdleWait(session, context.wake);
    this.#storedLog = new StoredLog(context.log);
    this.#paused = new PausedStorage(session, context);
  }

  /** Takes the storage for this session. Errors as `takeStorage` and `requireInbox`. */
  static async open(session: InboxSession, context: WorkerContext): Promise<Service> {
    const { identity } = context.storage;
    const taken = await takeStorage(session, identity.storage, identity.uuid);
    requireInbox(identity, taken);
    if (context.probation.sessionBegins(taken.unclean)) {
      context.log.warn(
        "the worker before this one died while it was storing: its media go one at a time",
      );
    }
    return new Service(session, context);
  }

  /**
   * Ends when asked to stop, or in drain mode when nothing is left; every other end is an error.
   *
   * @returns how many media could not be stored
   */
  async run(attempt: Attempt): Promise<number> {
    const { heartbeat, probation, progress, wake, stop, options } = this.#context;
    const session = this.#session;
    await session.listen(() => wake.call());
    await heartbeat.become(session, "idle");
    void heartbeat.keepBeating(session);
    try {
      while (!stop.aborted && !session.ended.aborted) {
        if (performance.now() >= this.#schedule.sweepAt) await this.#sweep();
        const owed = await pending(session, 0n, this.#isProbing ? 1 : PAGE);
        if (owed.length > 0) {
          await this.#pass(owed, attempt);
          continue;
        }
        this.#isProbing = false;
        probation.end();
        if (options.mode === "drain") return progress.failures + await this.#awaitingRetry();
        attempt.succeeded();
        await heartbeat.become(session, "idle");
        this.#storedLog.sayIfDue();
        const waitMs = Math.min(this.#schedule.dueInMs, this.#storedLog.dueInMs);
        await this.#idle.untilNextLook(waitMs, session.ended, stop);
      }
    } finally {
      this.#storedLog.say();
    }
    if (session.ended.aborted) throw session.ended.reason;
    return 0;
  }

  /** One pass over what is owed, its first page given; a pause of the storage is waited out here. */
  async #pass(first: readonly Delivery[], attempt: Attempt): Promise<void> {
    const { heartbeat, progress, options } = this.#context;
    const { media, bytes, failures } = progress;
    const began = performance.now();
    // Before the first byte: should the process die from now on, the inbox says so to the next one.
    await heartbeat.become(this.#session, "storing");
    // Beside the work: until the inbox knows, a submit notifies in vain, and no more than that.
    const roused = this.#idle.rouse();
    roused.catch(() => {});
    const until = this.#isProbing ? 0 : this.#schedule.sweepAt;
    this.#isProbing = false;
    let paused: StoragePausedError | null = null;
    try {
      await this.#newPass().run(first, until);
    } catch (error) {
      if (!(error instanceof StoragePausedError) || options.mode === "drain") throw error;
      paused = error;
    } finally {
      const stored = progress.media - media;
      this.#storedLog.add(stored, progress.bytes - bytes, (performance.now() - began) / 1000);
      this.#storedLog.sayIfDue();
      if (stored > 0) {
        attempt.succeeded();
        this.#paused.hasPassed();
      }
      if (progress.failures > failures) this.#schedule.sweepNow();
    }
    await roused;
    if (paused === null) return;
    await this.#paused.waitOut(paused);
    this.#isProbing = true;
  }

  #newPass(): Pass {
    const { storage, probation, progress, options, stop } = this.#context;
    return new Pass({
      ...{ session: this.#session, storage, probation, progress, stop },
      group: { files: options.batchFiles, bytes: options.batchBytes },
    });
  }

  async #sweep(): Promise<void> {
    this.#schedule.swept(await this.#nextAttemptInMs());
  }

  /** How many media at least wait for another attempt. */
  async #awaitingRetry(): Promise<number> {
    return await this.#nextAttemptInMs() === null ? 0 : 1;
  }

  /**
   * Sweeps. A blob that the database can't read, and so can't delete, must not keep others from being
   * stored.
   *
   * @returns when a media that failed may be tried again; null where there is none
   */
  async #nextAttemptInMs(): Promise<number | null> {
    try {
      return (await sweep(this.#session)).nextAttemptInMs;
    } catch (error) {
      if (!(error instanceof DatabaseDamagedError)) throw error;
      this.#context.progress.sweepFailed(error.message);
      return null;
    }
  }
}
