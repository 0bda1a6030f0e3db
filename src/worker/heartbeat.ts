import { asError } from "../errors.ts";
import { type Beat, heartbeat, type WorkerState } from "../inbox/storage_calls.ts";
import type { InboxSession } from "../inbox/session.ts";
import { showAcceptance } from "../storage/mounted.ts";
import type { WriteOnceStorage } from "../storage/storage.ts";
import type { FreeSpace } from "../stored.ts";
import { VERSION } from "../version.ts";
import type { Logger } from "../log.ts";
import type { Progress } from "./progress.ts";
import { sleep } from "../sleep.ts";

const BEAT_EVERY_MS = 10_000;

/** A disk that has not answered within this many milliseconds is reported as hanging. */
const DISK_ANSWER_MS = 5_000;

/** A disk that ends no flush for so long hangs: with 64 under way, a slow one ends several in each second. */
const DISK_STILL_MS = 20_000;

/**
 * Reports to the inbox every 10 s, and at each change, how this worker does. It is a liveness query too:
 * its connection answers or the session ends.
 */
export class Heartbeat {
  readonly #startedAt = new Date();
  readonly #storage: WriteOnceStorage;
  readonly #progress: Progress;
  readonly #log: Logger;
  /** What people are to see of this storage at any time: what an administrator has accepted. */
  readonly #standing: string | null;
  #state: WorkerState = "starting";
  #reason: string | null = null;
  #diskHangs = false;
  /** Of `progress`: what the inbox knew when this session began, and what it knows now. */
  #before = { media: 0, bytes: 0 };
  #reported = { media: 0, bytes: 0 };
  #session: InboxSession | null = null;

  constructor(storage: WriteOnceStorage, progress: Progress, log: Logger) {
    this.#storage = storage;
    this.#progress = progress;
    this.#log = log;
    const accepted = showAcceptance(storage.identity);
    this.#standing = accepted === null ? null : `on ${accepted}`;
  }

  /** Changes the state and reports it at once; resolves when the inbox knows. */
  async become(
    session: InboxSession,
    state: WorkerState,
    reason: string | null = null,
  ): Promise<void> {
    if (this.#state === state && this.#reason === reason) return;
    this.#state = state;
    this.#reason = reason;
    await this.beat(session);
  }

  /** Reports that this worker waits for another's storage, and leaves that one's state as it is. */
  async standBy(session: InboxSession): Promise<void> {
    await this.#send(session, "standby", null, null);
  }

  /**
   * Beats until the session has ended; a beat that the inbox refuses ends the session.
   *
   * @param onLanes is given what each beat is answered: how many lanes the storage has, 0 if it is distrusted
   */
  async keepBeating(session: InboxSession, onLanes: (count: number) => void): Promise<void> {
    while (!session.ended.aborted) {
      try {
        onLanes(await this.beat(session));
      } catch (error) {
        session.end(asError(error));
      }
      await sleep(BEAT_EVERY_MS, session.ended);
    }
  }

  async beat(session: InboxSession): Promise<number> {
    const space = await this.#freeSpace();
    const trouble = this.#diskTrouble(space);
    this.#logDisk(trouble);
    const known = space === "late" ? null : space;
    const reason = trouble ?? this.#reason ?? this.#standing;
    return await this.#send(session, this.#state, reason, known);
  }

  async #send(
    session: InboxSession,
    state: WorkerState,
    reason: string | null,
    space: FreeSpace | null,
  ): Promise<number> {
    if (session !== this.#session) {
      this.#session = session;
      this.#before = this.#reported;
    }
    const { media, bytes } = this.#progress;
    const lanes = await heartbeat(session, this.#beatOf(state, reason, space));
    this.#reported = { media, bytes };
    return lanes;
  }

  #beatOf(state: WorkerState, reason: string | null, space: FreeSpace | null): Beat {
    return {
      version: VERSION,
      startedAt: this.#startedAt,
      state,
      reason,
      space,
      storedMedia: this.#progress.media - this.#before.media,
      storedBytes: this.#progress.bytes - this.#before.bytes,
      lastError: this.#progress.lastError,
    };
  }

  /** The journal must not be empty while a disk hangs: what waits for the disk says nothing meanwhile. */
  #logDisk(trouble: string | null): void {
    if (this.#diskHangs === (trouble !== null)) return;
    this.#diskHangs = trouble !== null;
    if (trouble !== null) this.#log.error("{trouble}", { trouble });
    else this.#log.info("the disk answers again");
  }

  #diskTrouble(space: FreeSpace | null | "late"): string | null {
    if (space === "late") {
      return `the disk has not answered for ${DISK_ANSWER_MS / 1000} s; see dmesg`;
    }
    const stillMs = this.#storage.stillForMs();
    if (stillMs < DISK_STILL_MS) return null;
    return `the disk has finished none of its flushes for ${
      Math.round(stillMs / 1000)
    } s; see dmesg`;
  }

  /** Null where the storage is over, for a reason that is reported elsewhere. */
  async #freeSpace(): Promise<FreeSpace | null | "late"> {
    const answered = new AbortController();
    try {
      return await Promise.race([
        this.#storage.freeSpace().catch(() => null),
        sleep(DISK_ANSWER_MS, answered.signal).then(() => "late" as const),
      ]);
    } finally {
      answered.abort();
    }
  }
}
