/** Wakes a worker that waits. A call that comes while it works is remembered for the next wait. */
export class Wake {
  #called = false;
  #wakeUp: (() => void) | null = null;

  /** Something may be there to do. Any number of calls before the next wait count as one. */
  call(): void {
    this.#called = true;
    this.#wakeUp?.();
  }

  /**
   * Waits for a call, for so many milliseconds at the most.
   * Returns true where it was a call, false where the time passed or a signal was aborted.
   */
  async wait(ms: number, ...signals: readonly AbortSignal[]): Promise<boolean> {
    if (!this.#called && !signals.some((signal) => signal.aborted)) {
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timer);
          this.#wakeUp = null;
          for (const signal of signals) signal.removeEventListener("abort", end);
          resolve();
        };
        const timer = setTimeout(end, ms);
        this.#wakeUp = end;
        for (const signal of signals) signal.addEventListener("abort", end, { once: true });
      });
    }
    const called = this.#called;
    this.#called = false;
    return called;
  }
}
