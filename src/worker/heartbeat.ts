import { type Beat, heartbeat, type WorkerState } from "../inbox/worker_calls.ts";
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

/** One that finishes no flush for so long hangs: 64 at once on a slow disk end several in each second. */
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
    await heartbeat(session, this.#beatOf("standby", null, null));
  }

  /** Beats until the session has ended; a beat that the inbox refuses ends the session. */
  async keepBeating(session: InboxSession): Promise<void> {
    while (!session.ended.aborted) {
      try {
        await this.beat(session);
      } catch (error) {
        session.end(error instanceof Error ? error : new Error(String(error)));
      }
      await sleep(BEAT_EVERY_MS, session.ended);
    }
  }

  async beat(session: InboxSession): Promise<void> {
    const space = await this.#freeSpace();
    const trouble = this.#diskTrouble(space);
    this.#logDisk(trouble);
    const known = space === "late" ? null : space;
    await heartbeat(
      session,
      this.#beatOf(this.#state, trouble ?? this.#reason ?? this.#standing, known),
    );
  }

  #beatOf(state: WorkerState, reason: string | null, space: FreeSpace | null): Beat {
    return {
      version: VERSION,
      startedAt: this.#startedAt,
      state,
      reason,
      space,
      storedMedia: this.#progress.media,
      storedBytes: this.#progress.bytes,
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
