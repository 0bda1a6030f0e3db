import { DatabaseDamagedError, StorageHeldError, StoragePausedError } from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import { type Delivery, pending, sweep } from "../inbox/delivery_calls.ts";
import { checkStorage, takeStorage } from "../inbox/storage_calls.ts";
import { requireInbox } from "../storage/identity.ts";
import { MediaMemory } from "./intake.ts";
import { LaneShare } from "./lane_share.ts";
import { PAGE, Pass } from "./pass.ts";
import { PausedStorage } from "./paused_storage.ts";
import type { Attempt } from "../retry.ts";
import { IdleWait } from "./idle_wait.ts";
import { Schedule } from "./schedule.ts";
import { sleep } from "../sleep.ts";
import { StoredLog } from "./stored_log.ts";
import type { WorkerContext } from "./worker_context.ts";

/** How often a worker that waits for its lanes looks up, in milliseconds; `LaneShare` calls it earlier. */
const WAIT_MS = 10_000;

/** The storage has another number of lanes: this session has ended, the worker is to begin another. */
export const LANES_CHANGED = "the number of lanes has changed";

/**
 * A media has its id before its transaction commits: one that commits late is behind a pass, which goes by id, and
 * waits for the next. While uploads never ceased, a pass lasted until the next sweep: two media waited for 27 s,
 * and with them all files of their generation.
 */
const LONGEST_PASS_MS = 1_000;

/** Serves one session, which has taken the storage: passes over what is owed, waits, passes again. */
export class Service {
  readonly #session: InboxSession;
  readonly #context: WorkerContext;
  readonly #lanes: LaneShare;
  readonly #schedule: Schedule;
  readonly #idle: IdleWait;
  readonly #storedLog: StoredLog;
  readonly #paused: PausedStorage;
  readonly #memory = new MediaMemory();
  /** The storage was paused: the next media goes first and alone, to show whether it takes them again. */
  #isProbing = false;

  private constructor(session: InboxSession, context: WorkerContext) {
    this.#session = session;
    this.#context = context;
    this.#lanes = new LaneShare(session);
    this.#schedule = new Schedule(context.options.pollInterval);
    this.#idle = new IdleWait(session, context.wake);
    this.#storedLog = new StoredLog(context.log);
    this.#paused = new PausedStorage(session, context, this.#lanes);
  }

  /**
   * Takes the storage for this session: its lock on the disk, alone if it has one lane, then its lanes in the
   * inbox. In this order, so that whoever must stand by changes nothing that the inbox says of the one that
   * works. Errors as `takeStorage`, `requireInbox` and `WriteOnceStorage.hold`.
   */
  static async open(
    session: InboxSession,
    context: WorkerContext,
    process: string,
  ): Promise<Service> {
    const { storage, options } = context;
    const { identity } = storage;
    const known = await checkStorage(session, identity.storage, identity.uuid);
    requireInbox(identity, known);
    const { lanes } = known;
    await storage.hold(lanes === 1);
    const { storage: name, uuid } = identity;
    const { unclean } = await takeStorage(session, name, uuid, process, lanes);
    if (session.lanes.mine.length === 0 && options.mode === "drain") {
      throw new StorageHeldError(`Other workers hold all lanes of the storage ${name}`);
    }
    const service = new Service(session, context);
    service.#takeOver(unclean);
    return service;
  }

  /**
   * Ends when asked to stop, or in drain mode when nothing is left; every other end is an error.
   *
   * @returns how many media could not be stored, or that the storage has another number of lanes by now
   */
  async run(attempt: Attempt): Promise<number | typeof LANES_CHANGED> {
    const { heartbeat, probation, progress, wake, stop, options } = this.#context;
    const session = this.#session;
    const lanes = this.#lanes;
    await session.listen(() => wake.call(), () => lanes.lookNow());
    await heartbeat.become(session, "idle");
    void heartbeat.keepBeating(session, (count) => lanes.note(count));
    void lanes.keepLooking();
    try {
      while (!stop.aborted && !session.ended.aborted) {
        if (lanes.due.aborted && !await this.#settleLanes()) return LANES_CHANGED;
        if (session.lanes.mine.length === 0) {
          await heartbeat.become(session, "standby");
          await sleep(WAIT_MS, lanes.due, session.ended, stop);
          continue;
        }
        if (performance.now() >= this.#schedule.sweepAt) this.#schedule.swept(await this.#sweep());
        const owed = await pending(session, 0n, this.#isProbing ? 1 : PAGE);
        if (owed.length > 0) {
          await this.#pass(owed, attempt);
          continue;
        }
        this.#isProbing = false;
        probation.end();
        if (options.mode === "drain") {
          // What waits for another attempt is not stored: how many media that is does not matter.
          return progress.failures + (await this.#sweep() === null ? 0 : 1);
        }
        attempt.succeeded();
        await heartbeat.become(session, "idle");
        this.#storedLog.sayIfDue();
        const waitMs = Math.min(this.#schedule.dueInMs, this.#storedLog.dueInMs);
        await this.#idle.untilNextLook(waitMs, session.ended, stop, lanes.due);
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
    const until = this.#isProbing ? 0 : Math.min(this.#schedule.sweepAt, began + LONGEST_PASS_MS);
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

  /**
   * Brings the lanes to this session's share, between two passes.
   *
   * @returns false where the storage has another number of them by now
   */
  async #settleLanes(): Promise<boolean> {
    const session = this.#session;
    const before = session.lanes.mine;
    // Asleep in lanes that it may be about to give.
    await this.#idle.rouse();
    const unclean = await this.#lanes.settle();
    if (unclean === null) return false;
    if (String(before) === String(session.lanes.mine)) return true;
    // Also in the rows of the new ones: should this worker die now, it was storing in them.
    await this.#context.heartbeat.beat(session);
    this.#takeOver(unclean);
    this.#schedule.sweepNow();
    return true;
  }

  /** Logs its lanes. @param unclean those among them whose worker died while it was storing */
  #takeOver(unclean: readonly number[]): void {
    const { log, probation } = this.#context;
    const { lanes: { count, mine }, process } = this.#session;
    if (count > 1) {
      log.info("worker {worker} has {lanes} of {count} lanes", {
        worker: process?.slice(0, 8),
        lanes: mine.length === 0 ? "none yet" : mine.join(", "),
        count,
      });
    }
    if (unclean.length === 0) return;
    probation.suspect();
    log.warn("the worker before this one died while it was storing: its media go one at a time");
  }

  #newPass(): Pass {
    const { storage, probation, progress, group } = this.#context;
    const stop = AbortSignal.any([this.#context.stop, this.#lanes.due]);
    const session = this.#session;
    return new Pass({ session, storage, probation, progress, group, memory: this.#memory, stop });
  }

  /**
   * A blob that the database can't read, and so can't delete, must not keep others from being stored.
   *
   * @returns as `sweep`
   */
  async #sweep(): Promise<number | null> {
    try {
      return await sweep(this.#session);
    } catch (error) {
      if (!(error instanceof DatabaseDamagedError)) throw error;
      this.#context.progress.sweepFailed(error.message);
      return null;
    }
  }
}
