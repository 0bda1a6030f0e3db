import { DatabaseDamagedError, StoragePausedError } from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import { pending, sweep, takeStorage } from "../inbox/worker_calls.ts";
import type { WriteOnceStorage } from "../storage/storage.ts";
import type { Settled } from "./acknowledger.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Logger } from "../log.ts";
import type { WorkerOptions } from "./options.ts";
import { requireOwnInbox } from "./own_inbox.ts";
import { Pass } from "./pass.ts";
import { pause } from "./retry.ts";
import { StoredLog } from "./stored_log.ts";
import type { Wake } from "./wake.ts";

/** While a storage is paused it is asked again after 1, 2, 4, … seconds, 20 at the most. */
const FIRST_LOOK_MS = 1_000;
const LONGEST_LOOK_MS = 20_000;

/**
 * After a worker died while storing, so many media go one at a time: all that it can have had in flight,
 * three batches of the largest default size.
 */
const SUSPECT_MEDIA = 3 * 1024;

export interface ServiceContext {
  readonly options: WorkerOptions;
  readonly storage: WriteOnceStorage;
  readonly heartbeat: Heartbeat;
  readonly log: Logger;
  readonly wake: Wake;
  readonly stop: AbortSignal;
  /** See `PassContext.begun`. */
  readonly begun: Set<bigint>;
  /** Media still to go one at a time, each counted first; outlives the session. */
  readonly suspects: { left: number };
  /** Told when something was stored and acknowledged, or there was nothing to do. */
  readonly onStored: () => void;
}

/** Serves one session: walks over what is owed, waits, walks again. */
export class Service {
  #failed = 0;
  /** The storage was paused: one media shows whether it takes them again. */
  #probing = false;
  #sweepAt = 0;
  /** The next pause before a paused storage is asked again; grows until something is stored. */
  #lookMs = FIRST_LOOK_MS;
  readonly #storedLog = new StoredLog();
  readonly #session: InboxSession;
  readonly #context: ServiceContext;

  constructor(session: InboxSession, context: ServiceContext) {
    this.#session = session;
    this.#context = context;
  }

  /** @param firstOfProcess whether a death before this session could only be another process's */
  async take(firstOfProcess: boolean): Promise<void> {
    const { storage, log } = this.#context;
    const { identity } = storage;
    const taken = await takeStorage(this.#session, identity.storage, identity.uuid);
    requireOwnInbox(taken, identity);
    if (taken.unclean && firstOfProcess) {
      this.#context.suspects.left = SUSPECT_MEDIA;
      log.warn("the worker before this one died while it was storing: its media go one at a time");
    }
  }

  /**
   * Ends when asked to stop, or in drain mode when nothing is left; every other end is an error.
   *
   * @returns how many media could not be stored
   */
  async run(): Promise<number> {
    const { heartbeat, log, wake, stop, options } = this.#context;
    const session = this.#session;
    await session.listen(() => wake.call());
    await heartbeat.become(session, "idle");
    void heartbeat.keepBeating(session);
    try {
      while (!stop.aborted && !session.ended.aborted) {
        if (performance.now() >= this.#sweepAt) await this.#sweep();
        if (await this.#walk() > 0) continue;
        if (options.mode === "drain") return this.#failed + await this.#awaitingRetry();
        this.#context.onStored();
        await heartbeat.become(session, "idle");
        const waitMs = Math.min(this.#sweepAt - performance.now(), this.#storedLog.dueInMs);
        await wake.wait(waitMs, session.ended, stop);
      }
    } finally {
      this.#storedLog.tell(log);
    }
    if (session.ended.aborted) throw session.ended.reason;
    return 0;
  }

  /** Sweeps, and decides when the next one is due: at the poll, or when a failed media may be tried again. */
  async #sweep(): Promise<void> {
    const nextAttemptInMs = await this.#sweepOrTell();
    const waitMs = Math.min(this.#context.options.pollInterval * 1000, nextAttemptInMs ?? Infinity);
    // Not at once: the two clocks may differ by a little.
    this.#sweepAt = performance.now() + Math.max(waitMs, 250);
  }

  async #awaitingRetry(): Promise<number> {
    return await this.#sweepOrTell() === null ? 0 : 1;
  }

  /** A blob that the database can't read, and so can't delete, must not keep others from being stored. */
  async #sweepOrTell(): Promise<number | null> {
    const { heartbeat, log } = this.#context;
    try {
      return (await sweep(this.#session)).nextAttemptInMs;
    } catch (error) {
      if (!(error instanceof DatabaseDamagedError)) throw error;
      heartbeat.lastError = error.message;
      log.error("the inbox could not be swept: {message}", { message: error.message });
      return null;
    }
  }

  /** One walk; a pause of the storage is waited out here. Returns how many media it met. */
  async #walk(): Promise<number> {
    const { storage, heartbeat, log, options, stop, begun, suspects } = this.#context;
    const session = this.#session;
    const began = performance.now();
    let media = 0;
    let bytes = 0;
    const pass = new Pass({
      session,
      storage,
      log,
      stop,
      begun,
      batchFiles: options.batchFiles,
      batchBytes: options.batchBytes,
      onStoring: () => heartbeat.become(session, "storing"),
      onFailure: (message) => heartbeat.lastError = message,
      onSettled: (settled) => {
        media += settled.acknowledged.length;
        bytes += this.#count(settled);
      },
    }, {
      alone: suspects.left,
      limit: this.#probing ? 1 : Infinity,
      isDue: () => performance.now() >= this.#sweepAt,
    });
    this.#probing = false;
    let isEmpty = false;
    try {
      await pass.run();
      isEmpty = pass.seen === 0;
    } catch (error) {
      if (!(error instanceof StoragePausedError) || options.mode === "drain") throw error;
      await this.#waitOut(error);
    } finally {
      // Not where the session was lost before the first media was met: they are suspects still.
      suspects.left = isEmpty ? 0 : pass.alone;
      this.#failed += pass.failed;
      if (pass.failed > 0) this.#sweepAt = 0;
      this.#storedLog.add(media, bytes, (performance.now() - began) / 1000);
      this.#storedLog.tellIfDue(log);
    }
    return pass.seen;
  }

  #count({ acknowledged, refused }: Settled): number {
    const { heartbeat, log } = this.#context;
    let bytes = 0;
    for (const { media, outcome, path } of acknowledged) {
      bytes += media.size;
      if (outcome === "renamed") {
        log.warn("media {id} has another file under its name; it is at {path}", {
          id: String(media.id),
          path,
        });
      }
    }
    for (const { mediaId, result } of refused) {
      log.warn(
        "the inbox refused the receipt of media {id}: {result}; nothing is lost, and it is not counted",
        {
          id: String(mediaId),
          result,
        },
      );
    }
    if (acknowledged.length > 0) {
      this.#lookMs = FIRST_LOOK_MS;
      this.#context.onStored();
    }
    heartbeat.tally.media += acknowledged.length;
    heartbeat.tally.bytes += bytes;
    return bytes;
  }

  /** Waits until the storage would take the next media again, then lets that one go first, alone. */
  async #waitOut(paused: StoragePausedError): Promise<void> {
    const { storage, heartbeat, log, stop } = this.#context;
    const session = this.#session;
    log.error("paused ({reason}): {message}", { reason: paused.reason, message: paused.message });
    await heartbeat.become(session, "paused", paused.message);
    for (;;) {
      await pause(this.#lookMs, session.ended, stop);
      this.#lookMs = Math.min(2 * this.#lookMs, LONGEST_LOOK_MS);
      if (session.ended.aborted) throw session.ended.reason;
      if (stop.aborted) return;
      const [next] = await pending(session, 0n, 1);
      if (await storage.wouldAccept(next?.media.size ?? 0)) break;
    }
    this.#probing = true;
  }
}
