import { DatabaseDamagedError, endsStorage, StoragePausedError } from "../errors.ts";
import { readChunks } from "../inbox/copy/chunk_reader.ts";
import type { InboxSession } from "../inbox/session.ts";
import { acknowledge, type Unacknowledged } from "../inbox/delivery_calls.ts";
import type { Media } from "../media.ts";
import type { NotStored, StoreBatch, WriteOnceStorage } from "../storage/storage.ts";
import type { Stored } from "../stored.ts";
import { chunkWindows } from "./chunk_windows.ts";
import type { GroupSize } from "./group_size.ts";
import { Intake, type MediaMemory } from "./intake.ts";
import { Releaser } from "./releaser.ts";

/** What a courier goes between, and what it learns on its way. */
export interface CourierContext {
  readonly session: InboxSession;
  readonly storage: WriteOnceStorage;
  /** Bounds one COPY, and learns how long each group took. */
  readonly group: GroupSize;
  /** Used by no other courier meanwhile. */
  readonly memory: MediaMemory;
}

/** What became of a group. A media of it that is in no list is still owed: `paused` says why. */
export interface Fates {
  /** Durable here, and known to be so in the inbox. */
  readonly acknowledged: readonly Stored[];
  /** Durable here, but the inbox no longer knows these ids, or knows other media by them. */
  readonly refused: readonly Unacknowledged[];
  /** Each for a reason of its own: its bytes in the inbox are bad, or its file could not be made. */
  readonly notStored: readonly NotStored[];
  /** The storage takes nothing for now. */
  readonly paused: StoragePausedError | null;
}

/** A group whose bytes have been read, as far as that went. */
interface Carried {
  /** What the storage has of it, without names so far; null where the group was not begun. */
  readonly batch: StoreBatch | null;
  readonly notStored: readonly NotStored[];
  readonly paused: StoragePausedError | null;
  /** What ended the reading too early: most often the connection. */
  readonly broken: { readonly error: unknown } | null;
  /** How long it was read and written, from its own first byte on. */
  readonly seconds: number;
}

const NOTHING = { batch: null, notStored: [], paused: null, broken: null, seconds: 0 };

/**
 * Brings groups of media from the inbox into the storage, and gives back what became of each.
 *
 * A group goes three steps: its bytes are *carried* (one COPY at a time), *published* (side by side with
 * other groups), *acknowledged* (in the order in which the groups came). Reading ahead and acknowledging
 * behind was worth 20–40 %.
 *
 * The worst that a group can meet, a large media that fails in its middle beside a disk that fills up, is
 * no special case. The intake notes the failure, skips the rest of that media and goes on with the next,
 * until the storage takes no more; what it took by then is published and acknowledged as ever. All of it
 * comes back at once: these are stored, this one failed, the others wait until the pause has passed.
 */
export class Courier {
  readonly #context: CourierContext;
  readonly #releaser: Releaser;
  /** The group that came last: the next one looks at how it went. */
  #lastCarried: Promise<Carried> = Promise.resolve(NOTHING);
  #lastFates: Promise<unknown> = Promise.resolve();
  /** The storage is distrusted or lost: nothing more is acknowledged, whatever has been published. */
  #over: Error | null = null;

  constructor(context: CourierContext) {
    this.#context = context;
    this.#releaser = new Releaser(context.session);
  }

  /**
   * Takes over a group, while others may be under way. Behind one that is broken off or meets a pause, no
   * further one is begun.
   *
   * @param group by id; together, or if it is only one, of any size
   * @returns what became of it, once the inbox knows
   * @throws {DatabaseUnavailableError} the connection ended; what was whole by then has its name
   * @throws {StorageDistrustedError} @throws {StorageLostError} the storage is over
   */
  handOver(group: readonly Media[]): Promise<Fates> {
    const carried = this.#carry(group, this.#lastCarried);
    const fates = this.#deliver(carried, this.#lastFates);
    // Each is awaited in its turn. Until then its rejection must not count as one that nobody handles.
    carried.catch(() => {});
    fates.catch(() => {});
    [this.#lastCarried, this.#lastFates] = [carried, fates];
    return fates;
  }

  /** Resolves when every blob that may leave the inbox has been let go. @throws what a release met */
  async released(): Promise<void> {
    await this.#releaser.settled();
  }

  async #carry(group: readonly Media[], before: Promise<Carried>): Promise<Carried> {
    const earlier = await before;
    if (earlier.paused !== null || earlier.broken !== null) {
      return { ...earlier, batch: null, notStored: [] };
    }
    const { session, storage, group: { bytes: windowBytes }, memory } = this.#context;
    const began = performance.now();
    const batch = await storage.beginBatch();
    const intake = await Intake.open(batch, group, memory);
    let broken: Carried["broken"] = null;
    try {
      for (const window of chunkWindows(intake.needed, windowBytes)) {
        await readChunks(session, window, (piece) => intake.take(piece));
        if (intake.isOver || ("toSeq" in window && intake.lacks(window.toSeq))) break;
      }
    } catch (error) {
      intake.breakOff(error);
      // What the database cannot read concerns these media alone.
      if (!(error instanceof DatabaseDamagedError)) broken = { error };
    }
    const { notStored, over } = await intake.end();
    const seconds = secondsSince(began);
    if (over instanceof StoragePausedError) {
      return { batch, notStored, paused: over, broken, seconds };
    }
    // At once: what was handed over before may be about to be acknowledged.
    if (endsStorage(over)) throw over;
    const why = over === null ? broken : { error: over };
    return { batch, notStored, paused: null, broken: why, seconds };
  }

  async #deliver(carried: Promise<Carried>, before: Promise<unknown>): Promise<Fates> {
    try {
      const { batch, notStored, paused, broken, seconds } = await carried;
      const began = performance.now();
      // Of a group that was broken off, too. The connection is gone, the disk is not: what is whole gets
      // its name, so that the next session finds it instead of writing it again beside a thousand orphans.
      const published = await batch?.publish() ?? { stored: [], notStored: [], paused: null };
      const { length } = published.stored;
      if (length > 0) this.#context.group.took(length, seconds + secondsSince(began));
      await before;
      const receipts = await this.#acknowledge(published.stored);
      if (broken !== null) throw broken.error;
      return {
        ...receipts,
        notStored: [...notStored, ...published.notStored],
        paused: paused ?? published.paused,
      };
    } catch (error) {
      if (endsStorage(error)) this.#over ??= error;
      throw error;
    }
  }

  async #acknowledge(stored: readonly Stored[]): Promise<Pick<Fates, "acknowledged" | "refused">> {
    if (this.#over !== null) throw this.#over;
    if (stored.length === 0) return { acknowledged: [], refused: [] };
    const { session, storage } = this.#context;
    await storage.enterTimeline(session.timeline);
    const refused = await acknowledge(session, stored);
    const refusedIds = new Set(refused.map(({ mediaId }) => mediaId));
    const acknowledged = stored.filter(({ media }) => !refusedIds.has(media.id));
    this.#releaser.add(acknowledged.map(({ media }) => media));
    return { acknowledged, refused };
  }
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}
