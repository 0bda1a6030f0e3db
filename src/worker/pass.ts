import { DatabaseDamagedError, endsStorage, MediaDefectError } from "../errors.ts";
import { type Delivery, pending, reportFailure } from "../inbox/delivery_calls.ts";
import type { Media } from "../media.ts";
import type { NotStored } from "../storage/storage.ts";
import { Courier, type CourierContext, type Fates } from "./courier.ts";
import { partsOf } from "./parts.ts";
import type { Probation } from "./probation.ts";
import type { Progress } from "./progress.ts";

/** Deliveries asked for at once: a few groups' worth, so that asking costs next to nothing. */
export const PAGE = 4096;

/** Groups under way at once: one being read, one being flushed, one being acknowledged. */
const IN_FLIGHT = 3;

export interface PassContext extends CourierContext {
  readonly probation: Probation;
  readonly progress: Progress;
  /** Aborted when the groups under way are to be the last. */
  readonly stop: AbortSignal;
}

/**
 * One pass over what is owed, by id. A media that failed before, or that may have killed the worker before
 * this one, goes alone; all others go in groups, whose fates are read in the order in which they went.
 */
export class Pass {
  readonly #context: PassContext;
  readonly #courier: Courier;
  readonly #underWay: Promise<Fates>[] = [];

  constructor(context: PassContext) {
    this.#context = context;
    this.#courier = new Courier(context);
  }

  /**
   * @param first what is owed, by id: a page, or the one media that shows whether a paused storage goes on
   * @param until `performance.now()` at which something else has waited long enough: uploads that never
   *   cease must not keep the inbox from being swept, nor what failed from being tried again. The first
   *   page is always carried.
   * @throws {StoragePausedError} the storage is full or read-only; what fitted is acknowledged
   * @throws {StorageDistrustedError} @throws {StorageLostError} the storage is over
   * @throws {DatabaseUnavailableError} the session is over
   */
  async run(first: readonly Delivery[], until: number): Promise<void> {
    const { session, stop } = this.#context;
    let page = first;
    try {
      for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
        await this.#carryPage(page);
        if (stop.aborted || performance.now() >= until) break;
        page = await pending(session, last.media.id, PAGE);
      }
    } catch (error) {
      throw await this.#endOthers() ?? error;
    }
  }

  async #carryPage(page: readonly Delivery[]): Promise<void> {
    const { probation, group, stop } = this.#context;
    const notStored: NotStored[] = [];
    for (const part of partsOf(page, group, (delivery) => probation.goesAlone(delivery))) {
      if (stop.aborted) break;
      if (part.go === "nowhere") {
        await this.#giveUp(part.media, part.why);
      } else if (part.go === "alone") {
        notStored.push(...await this.#readFates());
        await this.#carryAlone(part.media);
      } else {
        notStored.push(...await this.#readFates(IN_FLIGHT - 1));
        this.#underWay.push(this.#courier.handOver(part.media));
      }
    }
    notStored.push(...await this.#readFates());
    await this.#courier.released();
    for (const { media, error } of notStored) {
      if (stop.aborted) return;
      await this.#decide(media, error);
    }
  }

  /**
   * Reads the fates of groups, oldest first, until no more than `most` are under way.
   *
   * @returns what they could not store
   * @throws {StoragePausedError} one of them met a pause: its other media, and those behind it, are owed as
   *   before
   */
  async #readFates(most = 0): Promise<readonly NotStored[]> {
    const notStored: NotStored[] = [];
    while (this.#underWay.length > most) {
      const fates = await this.#underWay.shift();
      if (fates === undefined) break;
      this.#context.progress.add(fates);
      if (fates.paused !== null) throw fates.paused;
      notStored.push(...fates.notStored);
    }
    return notStored;
  }

  /** Carries one media that may be dangerous: nothing else is under way, its attempt is counted first. */
  async #carryAlone(media: Media): Promise<void> {
    const { session, probation, progress } = this.#context;
    const isMade = await probation.attempt(session, media.id, async () => {
      const error = await this.#tryAlone(media);
      if (error !== null) await this.#decide(media, error);
    });
    // Parked by now (or, beside another worker's, no longer owed: then counting it is the lesser fault).
    if (!isMade) progress.failed(media, "is parked", "its attempts are used up");
  }

  /** Carries one media with nothing else under way. Returns why it could not be stored, or null. */
  async #tryAlone(media: Media): Promise<Error | null> {
    this.#underWay.push(this.#courier.handOver([media]));
    const [failed] = await this.#readFates();
    return failed?.error ?? null;
  }

  /**
   * Bytes that are bad in the inbox are read a second time, alone, before they are given up on: only what
   * fails twice is not this machine's memory or network. Anything else is tried again later.
   */
  async #decide(media: Media, first: Error): Promise<void> {
    const { session, progress } = this.#context;
    const error = isInboxFault(first) ? await this.#tryAlone(media) : first;
    if (error === null) return;
    if (isInboxFault(error)) return await this.#giveUp(media, error.message);
    const answer = await reportFailure(session, media.id, error.message, false);
    if (answer === null) return;
    const fate = answer.parked ? "is parked" : `failed ${answer.attempts} times`;
    progress.failed(media, fate, error.message);
  }

  /** What the inbox itself has is bad: no waiting fixes that. */
  async #giveUp(media: Media, message: string): Promise<void> {
    const { session, progress } = this.#context;
    const answer = await reportFailure(session, media.id, message, true);
    if (answer !== null) progress.failed(media, "is parked", message);
  }

  /**
   * Waits for the groups that are under way still, so that nothing goes on behind the next pass's back.
   *
   * @returns the worst that one of them met: the end of the storage, or null
   */
  async #endOthers(): Promise<Error | null> {
    const others = await Promise.allSettled(this.#underWay.splice(0));
    await this.#courier.released().catch(() => {});
    for (const other of others) {
      if (other.status === "fulfilled") this.#context.progress.add(other.value);
    }
    const worst = others.find((other) => other.status === "rejected" && endsStorage(other.reason));
    return worst?.status === "rejected" ? worst.reason : null;
  }
}

function isInboxFault(error: Error): boolean {
  return error instanceof MediaDefectError || error instanceof DatabaseDamagedError;
}
