import { sleep } from "./sleep.ts";

/** Wakes a worker that waits. A call that comes while it works is remembered for the next wait. */
export class Wake {
  #called = new AbortController();

  /** There may be something to do. Any number of calls before the next wait count as one. */
  call(): void {
    this.#called.abort();
  }

  /** Whether there was a call since the last wait, for who has something else to do meanwhile. */
  get isCalled(): boolean {
    return this.#called.signal.aborted;
  }

  /** As `isCalled`, and that call is answered. */
  take(): boolean {
    const { isCalled } = this;
    if (isCalled) this.#called = new AbortController();
    return isCalled;
  }

  /** Waits for a call, for at most the given milliseconds, or until a signal is aborted. */
  async wait(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
    await sleep(ms, this.#called.signal, ...signals);
    this.#called = new AbortController();
  }
}
