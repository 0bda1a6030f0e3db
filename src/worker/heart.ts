import { type Beat, heartbeat, type WorkerState } from "../inbox/worker_calls.ts";
import type { InboxSession } from "../inbox/session.ts";
import type { WriteOnceStorage } from "../storage/storage.ts";
import { VERSION } from "../version.ts";
import { pause } from "./retry.ts";

const BEAT_EVERY_MS = 10_000;

/** A disk that does not tell its free space within so many milliseconds is reported as hanging. */
const DISK_ANSWER_MS = 5_000;

/** One that finishes no flush for so long hangs: 64 at once on a slow disk end several in each second. */
const DISK_STILL_MS = 20_000;

/** Counters of one process's life. */
export interface Tally {
  media: number;
  bytes: number;
}

/**
 * Tells the inbox every 10 s, and at each change, how this worker does. It is a liveness query too: its
 * connection answers or the session ends.
 */
export class Heart {
  readonly #startedAt = new Date();
  readonly #storage: WriteOnceStorage;
  readonly tally: Tally = { media: 0, bytes: 0 };
  lastError: string | null = null;
  #state: WorkerState = "starting";
  #reason: string | null = null;

  constructor(storage: WriteOnceStorage) {
    this.#storage = storage;
  }

  /** Changes the state and tells it at once; resolves when the inbox knows. */
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

  /** Beats until the session has ended; a beat that the inbox refuses ends the session. */
  async keepBeating(session: InboxSession): Promise<void> {
    while (!session.ended.aborted) {
      try {
        await this.beat(session);
      } catch (error) {
        session.end(error instanceof Error ? error : new Error(String(error)));
      }
      await pause(BEAT_EVERY_MS, session.ended);
    }
  }

  async beat(session: InboxSession): Promise<void> {
    const space = await this.#freeSpaceOrNull();
    const beat: Beat = {
      version: VERSION,
      startedAt: this.#startedAt,
      state: this.#state,
      reason: this.#diskTrouble(space !== null) ?? this.#reason,
      space,
      storedMedia: this.tally.media,
      storedBytes: this.tally.bytes,
      lastError: this.lastError,
    };
    await heartbeat(session, beat);
  }

  #diskTrouble(answers: boolean): string | null {
    if (!answers) return `the disk has not answered for ${DISK_ANSWER_MS / 1000} s; see dmesg`;
    const stillMs = this.#storage.stillForMs();
    if (stillMs < DISK_STILL_MS) return null;
    return `the disk has finished none of its flushes for ${
      Math.round(stillMs / 1000)
    } s; see dmesg`;
  }

  async #freeSpaceOrNull() {
    const late = new AbortController();
    try {
      return await Promise.race([
        this.#storage.freeSpace().catch(() => null),
        pause(DISK_ANSWER_MS, late.signal).then(() => null),
      ]);
    } finally {
      late.abort();
    }
  }
}
