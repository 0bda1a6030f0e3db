import { DatabaseDamagedError } from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import { release } from "../inbox/worker_calls.ts";

/** Media in one release: about 30 ms of deleting where they are small. */
const MOST_AT_ONCE = 1024;

/**
 * Lets blobs leave the inbox behind the acknowledging, on a connection of its own: deleting 1 GB costs the
 * database 1.6 s, for which no receipt should wait. One release at a time; what is acknowledged meanwhile
 * goes together into the next.
 */
export class Releaser {
  readonly #session: InboxSession;
  readonly #onFailure: (error: unknown) => void;
  readonly #waiting: bigint[] = [];
  #running: Promise<void> | null = null;

  constructor(session: InboxSession, onFailure: (error: unknown) => void) {
    this.#session = session;
    this.#onFailure = onFailure;
  }

  add(ids: readonly bigint[]): void {
    this.#waiting.push(...ids);
    if (this.#waiting.length > 0) this.#running ??= this.#run();
  }

  /** Resolves when everything that was added has been asked for. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#release(this.#waiting.splice(0, MOST_AT_ONCE));
      }
    } catch (error) {
      this.#onFailure(error);
    } finally {
      this.#running = null;
    }
  }

  async #release(ids: readonly bigint[]): Promise<void> {
    try {
      await release(this.#session, ids);
    } catch (error) {
      // The receipts are committed. A blob that the database can't read stays, and sweeping tells it.
      if (!(error instanceof DatabaseDamagedError)) throw error;
    }
  }
}
