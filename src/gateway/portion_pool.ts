/** Fills a portion, and may be asked to hand it on. */
export interface Holder {
  /** Another waits for a portion: stores what is in this one, unless more is coming in right now. */
  storeIfStalled(): void;
}

/** How often holders are asked while a client waits. */
const ASK_MS = 50;

/**
 * A fixed number of buffers into which all bodies are read. A client for whom none
 * is free is not read from and waits, so memory stays flat however many there are. They take turns: clients
 * that send a byte a second cannot keep others out, since they must hand on what they hold as soon as
 * another waits for it.
 *
 * Rejected: a budget of bytes with a new buffer for each read. The runtime reads into 64 KiB, be it for one
 * byte, and collects what is no longer needed only every 64 MiB: 222 to 242 MiB with 200 uploads.
 */
export class PortionPool {
  readonly #free: Uint8Array[] = [];
  readonly #waiting: ((portion: Uint8Array) => void)[] = [];
  readonly #holders = new Set<Holder>();
  #unmade: number;
  #asking: ReturnType<typeof setInterval> | undefined;

  /** @param count of them @param bytes of each */
  constructor(count: number, private readonly bytes: number) {
    this.#unmade = count;
  }

  /** Waits for its turn. `holder` fills the portion until it leaves. */
  async take(holder: Holder): Promise<Uint8Array> {
    const portion = this.#next() ?? await this.#turn();
    this.#holders.add(holder);
    return portion;
  }

  /** The holder fills no longer: it is being stored, or was given back. */
  leave(holder: Holder): void {
    this.#holders.delete(holder);
  }

  /** It is neither read from nor written to any more. */
  give(portion: Uint8Array): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(portion);
    else next(portion);
    if (this.#waiting.length === 0) this.#stopAsking();
  }

  /** One will not come back: a broken connection may still be sending it. Another takes its place. */
  lose(): void {
    this.give(new Uint8Array(this.bytes));
  }

  #next(): Uint8Array | undefined {
    const free = this.#free.pop();
    if (free !== undefined || this.#unmade === 0) return free;
    this.#unmade -= 1;
    return new Uint8Array(this.bytes);
  }

  async #turn(): Promise<Uint8Array> {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    this.#waiting.push(resolve);
    this.#asking ??= setInterval(() => {
      for (const holder of this.#holders) holder.storeIfStalled();
    }, ASK_MS);
    return await promise;
  }

  #stopAsking(): void {
    clearInterval(this.#asking);
    this.#asking = undefined;
  }
}
