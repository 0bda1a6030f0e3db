import { DatabaseDamagedError } from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import { release } from "../inbox/worker_calls.ts";
import type { Media } from "../media.ts";

/** What one release takes at the most, beside its first media: less than half a second of deleting. */
const MOST_MEDIA = 1024;
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Lets blobs leave the inbox behind the acknowledging, on a connection of its own: deleting 1 GB costs the
 * database 1.6 s, for which no receipt should wait. One release at a time; what is acknowledged meanwhile
 * goes together into the next.
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
      while (this.#waiting.length > 0) await this.#release(this.#next());
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#running = null;
    }
  }

  #next(): readonly Media[] {
    let count = 0;
    let bytes = 0;
    for (const { size } of this.#waiting) {
      bytes += size;
      if (count > 0 && (count === MOST_MEDIA || bytes > MOST_BYTES)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
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
