import type { Budget } from "./budget.ts";
import type { Buffers } from "./buffers.ts";

/** What is stored by one statement at the most: four chunks. */
export const PORTION_BYTES = 1024 * 1024;
/** What came in is stored after so long, also where it is less: a cut then costs no more. */
const HOLD_MS = 2_000;
/** A client that sends nothing for so long has gone. */
const SILENCE_MS = 60_000;

/** Why no more was read; what had come in before has been stored. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  constructor(readonly kind: "cut" | "silent" | "stopping", options?: ErrorOptions) {
    super(`the request's body ended early: ${kind}`, options);
  }
}

/** What a body is read with. */
export interface Receiving {
  readonly budget: Budget;
  readonly buffers: Buffers;
  /** Aborted when the gateway stops: what has come in is stored, nothing more is read. */
  readonly stop: AbortSignal;
}

/**
 * Reads a body and hands it on in portions, one after the other. While one is being stored, the next
 * comes in. Whatever ends it, what has come in is handed on first.
 *
 * @param store must be done with the bytes when its promise resolves: they are written over
 * @throws {BodyError} the client went away or fell silent, or the gateway stops
 * @throws what `store` throws
 */
export async function receive(
  body: ReadableStream<Uint8Array>,
  { budget, buffers, stop }: Receiving,
  store: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const reader = body.getReader();
  const portions = new Portions(budget, buffers, store);
  try {
    let next = reader.read();
    for (;;) {
      const read = await firstOf(next, portions.isEmpty ? SILENCE_MS : HOLD_MS, stop);
      if (read === "late" && portions.isEmpty) throw new BodyError("silent");
      if (read === "late") {
        await portions.flush();
        continue;
      }
      if (read.done) break;
      await portions.add(read.value);
      next = reader.read();
    }
    await portions.flush();
  } catch (error) {
    reader.cancel().catch(() => {});
    await portions.flush();
    throw error;
  } finally {
    portions.drop();
  }
}

/** The read's outcome, or `late`. */
async function firstOf(
  read: Promise<ReadableStreamReadResult<Uint8Array>>,
  milliseconds: number,
  stop: AbortSignal,
): Promise<ReadableStreamReadResult<Uint8Array> | "late"> {
  const { promise, resolve, reject } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), milliseconds);
  const stopped = () => reject(new BodyError("stopping"));
  if (stop.aborted) stopped();
  stop.addEventListener("abort", stopped);
  try {
    return await Promise.race([
      read.catch((error) => Promise.reject(new BodyError("cut", { cause: error }))),
      promise,
    ]);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", stopped);
  }
}

/** What one request holds, and what of it is being stored. */
class Portions {
  #held: Uint8Array[] = [];
  #bytes = 0;
  #storing: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;

  constructor(
    private readonly budget: Budget,
    private readonly buffers: Buffers,
    private readonly store: (bytes: Uint8Array) => Promise<void>,
  ) {}

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  async add(piece: Uint8Array): Promise<void> {
    if (!this.budget.tryTake(piece.length)) {
      // What is held here may be what everybody waits for.
      await this.flush();
      await this.budget.take(piece.length);
    }
    this.#held.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= PORTION_BYTES) await this.#begin();
  }

  /** Stores what is held, and waits until all is. @throws what `store` threw, the first time */
  async flush(): Promise<void> {
    if (!this.isEmpty) await this.#begin();
    await this.#settle();
  }

  /** Gives back what was never stored. */
  drop(): void {
    this.budget.give(this.#bytes);
    this.#held = [];
    this.#bytes = 0;
  }

  /** Lets the portion before come to its end, then begins to store this one. */
  async #begin(): Promise<void> {
    await this.#settle();
    const [held, bytes] = [this.#held, this.#bytes];
    this.#held = [];
    this.#bytes = 0;
    this.#storing = this.#storeAll(held, bytes).catch((error) => {
      this.#failure = { error };
    });
  }

  async #storeAll(held: readonly Uint8Array[], bytes: number): Promise<void> {
    const portion = await this.buffers.take();
    try {
      let filled = 0;
      for (const piece of held) {
        for (let at = 0; at < piece.length;) {
          const part = piece.subarray(at, at + PORTION_BYTES - filled);
          portion.set(part, filled);
          filled += part.length;
          at += part.length;
          if (filled === PORTION_BYTES) {
            await this.store(portion);
            filled = 0;
          }
        }
      }
      if (filled > 0) await this.store(portion.subarray(0, filled));
    } finally {
      this.buffers.give(portion);
      this.budget.give(bytes);
    }
  }

  async #settle(): Promise<void> {
    await this.#storing;
    const failure = this.#failure;
    if (failure === null) return;
    this.drop();
    throw failure.error;
  }
}
