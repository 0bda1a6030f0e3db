import { RefusedError } from "../inbox/application/refusal.ts";
import type { Holder, PortionPool } from "./portion_pool.ts";
import { Problem } from "./problem.ts";

/** Where a body's bytes go. */
export interface Sink {
  /** Sees bytes as they come, in their order, such as to hash them. They are written over later. */
  see(bytes: Uint8Array): void;
  /**
   * Stores all that was seen since the last call; each call comes when the one before has ended. What it
   * does before its first `await` happens before more is seen.
   */
  store(bytes: Uint8Array): Promise<void>;
}

/** More is coming in right now if the last of it is no older. */
const STALLED_MS = 50;

/** A body in portions: while one is being stored, the next is filled and hashed. */
export class Portions implements Holder {
  #portion: Uint8Array | null = null;
  #filled = 0;
  /** When the portion's first byte came, and the last. */
  #since = 0;
  #last = 0;
  #storing: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  /** @param onFailure called once, when the sink has refused a portion */
  constructor(
    private readonly pool: PortionPool,
    private readonly sink: Sink,
    private readonly onFailure: () => void,
  ) {}

  /** Takes what came in. Waits for a portion's turn, and for the one that is being stored once two are full. */
  async add(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length;) {
      const portion = this.#portion ??= await this.pool.take(this);
      const part = piece.subarray(at, at + portion.length - this.#filled);
      this.#last = performance.now();
      if (this.#filled === 0) this.#since = this.#last;
      portion.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      this.sink.see(part);
      if (this.#filled === portion.length) await this.#begin();
    }
  }

  storeIfStalled(): void {
    if (performance.now() - this.#last >= STALLED_MS) this.#beginAlone();
  }

  storeIfOlder(milliseconds: number): void {
    if (this.#portion !== null && performance.now() - this.#since >= milliseconds) {
      this.#beginAlone();
    }
  }

  /** Stores what is held, and waits until all is. @throws what the sink threw, the first time */
  async flush(): Promise<void> {
    await this.#begin();
    await this.#storing;
    this.#throwFailure();
  }

  /** Gives back what was never stored. */
  drop(): void {
    if (this.#portion !== null) this.pool.give(this.#portion);
    this.#portion = null;
    this.#filled = 0;
    this.pool.leave(this);
  }

  /** Lets the portion before come to its end, then begins to store this one. */
  async #begin(): Promise<void> {
    // Another may have begun while this one waited.
    while (this.#storing !== null) await this.#storing;
    this.#throwFailure();
    const [portion, filled] = [this.#portion, this.#filled];
    if (portion === null) return;
    this.#portion = null;
    this.#filled = 0;
    this.pool.leave(this);
    const storing = this.#store(portion, filled);
    this.#storing = storing;
    storing.then(() => {
      if (this.#storing === storing) this.#storing = null;
    });
  }

  /** A failure is not lost: whoever adds or flushes hears of it. */
  #beginAlone(): void {
    this.#begin().catch(() => {});
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #store(portion: Uint8Array, filled: number): Promise<void> {
    try {
      await this.sink.store(portion.subarray(0, filled));
      this.pool.give(portion);
    } catch (error) {
      this.#failure = { error };
      // Whoever refuses has read all of it.
      if (error instanceof RefusedError || error instanceof Problem) this.pool.give(portion);
      else this.pool.lose();
      this.onFailure();
    }
  }
}
