import { InterruptedError } from "../../errors.ts";

/** Between two turns of the event loop. */
const EVERY_MS = 50;

/**
 * Lets the event loop turn now and then in what is otherwise synchronous, so that Ctrl-C is heard and the
 * progress is drawn: `const pause = yielder.tick(); if (pause) await pause;`. Walking with asynchronous
 * calls throughout would take several times as long.
 */
export class EventLoopYielder {
  #last = performance.now();

  constructor(readonly signal: AbortSignal) {}

  /** A promise every so often, null in between. It throws InterruptedError once the signal is aborted. */
  tick(): Promise<void> | null {
    return performance.now() - this.#last > EVERY_MS ? this.#turn() : null;
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#last = performance.now();
    if (this.signal.aborted) throw new InterruptedError("stopped before the end; run it again");
  }
}
