import { DatabaseDamagedError } from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import { release } from "../inbox/delivery_calls.ts";
import type { Media } from "../media.ts";

/** How many media one release takes at the most: some milliseconds. */
const MOST_MEDIA = 1024;

/**
 * Lets blobs leave the inbox behind the acknowledging, on a connection of its own, so that no receipt waits
 * for it. One release at a time; what is acknowledged meanwhile goes together into the next.
 */
export class Releaser {
  readonly #session: InboxSession;
  readonly #waiting: Media[] = [];
  #running: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(session: InboxSession) {
    this.#session = session;
  }

  /** Asks for these to be released, as soon as the ones before have been. After a failure none is. */
  add(media: readonly Media[]): void {
    this.#waiting.push(...media);
    if (this.#waiting.length > 0 && this.#failure === null) this.#running ??= this.#run();
  }

  /** Resolves when everything that was added has been released. @throws what a release met */
  async settled(): Promise<void> {
    await this.#running;
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.length > 0) await this.#release(this.#waiting.splice(0, MOST_MEDIA));
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#running = null;
    }
  }

  async #release(media: readonly Media[]): Promise<void> {
    try {
      await release(this.#session, media.map(({ id }) => id));
    } catch (error) {
      // The receipts are committed. A blob that the database can't read stays, and sweeping reports it.
      if (!(error instanceof DatabaseDamagedError)) throw error;
    }
  }
}
