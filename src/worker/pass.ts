import {
  DatabaseDamagedError,
  MediaDefectError,
  StorageDistrustedError,
  StorageLostError,
  StoragePausedError,
} from "../errors.ts";
import type { InboxSession } from "../inbox/session.ts";
import {
  cancelAttempt,
  type Delivery,
  pending,
  reportFailure,
  startAttempt,
} from "../inbox/worker_calls.ts";
import { type Media, unfitName } from "../media.ts";
import type { NotStored, WriteOnceStorage } from "../storage/storage.ts";
import { Acknowledger, type Settled } from "./acknowledger.ts";
import { type Carried, carry } from "./carry.ts";
import type { Logger } from "../log.ts";

/** Deliveries asked for at once: a few batches' worth, so that asking costs next to nothing. */
const PAGE = 4096;

export interface PassContext {
  readonly session: InboxSession;
  readonly storage: WriteOnceStorage;
  readonly log: Logger;
  readonly batchFiles: number;
  /** Bytes. */
  readonly batchBytes: number;
  readonly stop: AbortSignal;
  /**
   * Media whose attempt this process has counted and not finished; outlives the session. Counting again
   * after each lost connection would park a large media on a bad line, as one that kills the worker.
   */
  readonly begun: Set<bigint>;
  /** Told before the first byte is stored. */
  readonly onStoring: () => Promise<void>;
  readonly onSettled: (settled: Settled) => void;
  readonly onFailure: (message: string) => void;
}

/**
 * One walk over what is owed, by id. A media that failed before, or that may have killed the worker
 * before this one, goes alone and is counted first; all others go in batches.
 */
export class Pass {
  /** Media met in this walk. */
  seen = 0;
  /** Media that could not be stored in this walk. */
  failed = 0;
  readonly #context: PassContext;
  readonly #acknowledger: Acknowledger;
  readonly #suspects: NotStored[] = [];
  readonly #limit: number;
  readonly #isDue: () => boolean;
  #alone: number;

  /**
   * @param bounds.alone how many media go one at a time, counted first, before batches are risked
   * @param bounds.limit the walk ends after so many media
   * @param bounds.isDue whether something else has waited long enough: uploads that never pause must not
   *   keep the inbox from being swept, nor what failed from being tried again
   */
  constructor(
    context: PassContext,
    bounds: { readonly alone: number; readonly limit: number; readonly isDue?: () => boolean },
  ) {
    this.#context = context;
    this.#alone = bounds.alone;
    this.#limit = bounds.limit;
    this.#isDue = bounds.isDue ?? (() => false);
    this.#acknowledger = new Acknowledger(context.session, (settled) => {
      context.onSettled(settled);
      this.#suspects.push(...settled.notStored);
    });
  }

  /** How many media are still to go one at a time. */
  get alone(): number {
    return this.#alone;
  }

  /**
   * @throws {StoragePausedError} the storage is full or read-only; what fitted is acknowledged
   * @throws {StorageDistrustedError} @throws {StorageLostError} the storage is over
   * @throws {DatabaseUnavailableError} the session is over
   */
  async run(): Promise<void> {
    const { session, stop } = this.#context;
    let after = 0n;
    try {
      while (!stop.aborted && this.seen < this.#limit) {
        const page = await pending(session, after, Math.min(PAGE, this.#limit - this.seen));
        const last = page.at(-1);
        if (last === undefined) break;
        if (this.seen === 0) await this.#context.onStoring();
        await this.#carryPage(page);
        after = last.media.id;
        if (this.#isDue()) break;
      }
      await this.#acknowledger.settled();
    } catch (error) {
      if (isOver(error)) this.#acknowledger.refuseFurther(error);
      const later = await this.#acknowledger.settled().then(() => error, (met) => met);
      throw isOver(later) ? later : error;
    }
  }

  async #carryPage(page: readonly Delivery[]): Promise<void> {
    let group: Media[] = [];
    let bytes = 0;
    const carryGroup = async () => {
      if (group.length > 0) await this.#carryTogether(group);
      group = [];
      bytes = 0;
    };
    for (const { media, attempts } of page) {
      if (this.#context.stop.aborted) return;
      this.seen += 1;
      const unfit = unfitName(media);
      if (unfit !== null) {
        await this.#giveUp(media, unfit);
      } else if (attempts > 0 || this.#alone > 0) {
        await carryGroup();
        await this.#carryAlone(media);
      } else {
        const full = group.length === this.#context.batchFiles ||
          bytes + media.size > this.#context.batchBytes;
        if (full) await carryGroup();
        group.push(media);
        bytes += media.size;
      }
    }
    await carryGroup();
    await this.#acknowledger.settled();
    for (const { media, error } of this.#suspects.splice(0)) await this.#decide(media, error);
  }

  /** Carries a batch; its acknowledging goes on while the next is carried. */
  async #carryTogether(group: readonly Media[]): Promise<void> {
    await this.#acknowledger.room();
    this.#suspects.push(...await this.#carry(group));
  }

  /** Carries one media that may be dangerous, its attempt counted first. */
  async #carryAlone(media: Media): Promise<void> {
    if (this.#alone > 0) this.#alone -= 1;
    await this.#acknowledger.settled();
    const { session, begun } = this.#context;
    if (!begun.has(media.id) && !await startAttempt(session, media.id)) {
      // Parked by now (or, beside another worker's, no longer owed: then counting it is the lesser fault).
      this.#tell(media, "its attempts are used up", "is parked");
      return;
    }
    begun.add(media.id);
    try {
      const error = await this.#tryAlone(media);
      if (error !== null) await this.#decide(media, error);
    } catch (error) {
      if (!(error instanceof StoragePausedError)) throw error;
      await cancelAttempt(session, media.id);
      begun.delete(media.id);
      throw error;
    }
    begun.delete(media.id);
  }

  /** Carries one media with nothing else under way. Returns why it could not be stored, or null. */
  async #tryAlone(media: Media): Promise<Error | null> {
    const [notCarried] = await this.#carry([media]);
    await this.#acknowledger.settled();
    const notPublished = this.#suspects.findIndex((suspect) => suspect.media.id === media.id);
    if (notCarried !== undefined || notPublished < 0) return notCarried?.error ?? null;
    return this.#suspects.splice(notPublished, 1)[0]?.error ?? null;
  }

  async #carry(media: readonly Media[]): Promise<readonly NotStored[]> {
    const { session, storage, batchBytes } = this.#context;
    const batch = await storage.beginBatch();
    let carried: Carried;
    try {
      carried = await carry(session, batch, media, batchBytes);
    } catch (error) {
      // The connection is gone, the disk is not: what is whole gets its name, so that the next session
      // finds it present instead of writing it a second time beside a thousand orphans.
      if (!isOver(error)) this.#acknowledger.add(batch);
      throw error;
    }
    this.#acknowledger.add(batch);
    if (carried.paused !== null) throw carried.paused;
    return carried.notStored;
  }

  /**
   * Bytes that are bad in the inbox are read a second time, alone, before they are given up on: only what
   * fails twice is not this machine's memory or network. Anything else is tried again later.
   */
  async #decide(media: Media, first: Error): Promise<void> {
    const error = isInboxFault(first) ? await this.#tryAlone(media) : first;
    if (error === null) return;
    if (isInboxFault(error)) return await this.#giveUp(media, error.message);
    const answer = await reportFailure(this.#context.session, media.id, error.message, false);
    if (answer === null) return;
    this.#tell(
      media,
      error.message,
      answer.parked ? "is parked" : `failed ${answer.attempts} times`,
    );
  }

  /** What the inbox itself holds is bad: no waiting fixes that. */
  async #giveUp(media: Media, message: string): Promise<void> {
    const answer = await reportFailure(this.#context.session, media.id, message, true);
    if (answer !== null) this.#tell(media, message, "is parked");
  }

  #tell(media: Media, message: string, fate: string): void {
    this.failed += 1;
    this.#context.onFailure(`media ${media.id}: ${message}`);
    this.#context.log.error(
      "media {id} ({mediaType} of item {item}, owner {owner}) {fate}: {message}; see `inbox parked`",
      {
        id: String(media.id),
        mediaType: media.mediaType,
        item: media.itemUuid,
        owner: media.ownerUuid,
        fate,
        message,
      },
    );
  }
}

/** After these nothing more may be acknowledged. */
function isOver(error: unknown): error is Error {
  return error instanceof StorageDistrustedError || error instanceof StorageLostError;
}

function isInboxFault(error: Error): boolean {
  return error instanceof MediaDefectError || error instanceof DatabaseDamagedError;
}
