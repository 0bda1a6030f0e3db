import type { StoragePausedError } from "../errors.ts";
import { acknowledge, type Unacknowledged } from "../inbox/worker_calls.ts";
import type { InboxSession } from "../inbox/session.ts";
import type { NotStored, StoreBatch } from "../storage/storage.ts";
import type { Stored } from "../stored.ts";
import { Releaser } from "./releaser.ts";

/** Batches under way at once: one being read, one being flushed, one being acknowledged. */
const IN_FLIGHT = 3;

/** What became of a published batch. */
export interface Settled {
  /** Durable here, and known to be so in the inbox. */
  readonly acknowledged: readonly Stored[];
  /** Durable here, but the inbox does not know these ids any more, or knows other media by them. */
  readonly refused: readonly Unacknowledged[];
  /** Not published, each for a reason of its own. */
  readonly notStored: readonly NotStored[];
}

/**
 * Publishes batches side by side and acknowledges them in order, while the caller reads the next one.
 * Reading ahead and acknowledging behind was worth 20–40 %. After the first error nothing more is
 * acknowledged: an error here is one of the whole storage or of the connection.
 */
export class Acknowledger {
  readonly #session: InboxSession;
  readonly #onSettled: (settled: Settled) => void;
  readonly #releaser: Releaser;
  readonly #underWay = new Set<Promise<void>>();
  #last: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;
  #paused: StoragePausedError | null = null;

  constructor(session: InboxSession, onSettled: (settled: Settled) => void) {
    this.#session = session;
    this.#onSettled = onSettled;
    this.#releaser = new Releaser(session, (error) => this.#failure ??= { error });
  }

  /** Publishes a batch, and acknowledges it after all that were added before. */
  add(batch: StoreBatch): void {
    const published = batch.publish();
    const before = this.#last;
    const job = (async () => {
      const { stored, notStored, paused } = await published;
      await before;
      if (this.#failure !== null) return;
      const refused = stored.length === 0 ? [] : await acknowledge(this.#session, stored);
      const refusedIds = new Set(refused.map(({ mediaId }) => mediaId));
      const acknowledged = stored.filter(({ media }) => !refusedIds.has(media.id));
      this.#releaser.add(acknowledged.map(({ media }) => media));
      this.#onSettled({ acknowledged, refused, notStored });
      this.#paused ??= paused;
    })();
    this.#last = job.catch((error) => {
      this.#failure ??= { error };
    });
    const done: Promise<void> = this.#last.finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  /** From now on nothing more is acknowledged, whatever has been published. */
  refuseFurther(error: Error): void {
    this.#failure ??= { error };
  }

  /** Resolves when there is room for one more batch. @throws what an earlier batch met */
  async room(): Promise<void> {
    while (this.#underWay.size >= IN_FLIGHT - 1) await Promise.race(this.#underWay);
    this.#throwFailure();
  }

  /** Resolves when nothing is under way any more. @throws what a batch met */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
    await this.#releaser.settled();
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
    // Unlike a failure, it keeps nothing from being acknowledged that was published.
    if (this.#paused !== null) throw this.#paused;
  }
}
