import { InterruptedError } from "../../errors.ts";

/** Names looked at between two turns of the event loop: some 20 ms. */
const EVERY = 2048;

/**
 * Lets the event loop turn now and then in what is otherwise synchronous, so that Ctrl-C is heard and the
 * progress is drawn: `const pause = breather.tick(); if (pause) await pause;`. Walking with asynchronous
 * calls throughout would take several times as long.
 */
export class Breather {
  #count = 0;

  constructor(readonly signal: AbortSignal) {}

  /** A promise every so many calls. It throws InterruptedError once the signal is aborted. */
  tick(): Promise<void> | null {
    return ++this.#count % EVERY === 0 ? this.#breathe() : null;
  }

  async #breathe(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (this.signal.aborted) throw new InterruptedError("stopped before the end; run it again");
  }
}
