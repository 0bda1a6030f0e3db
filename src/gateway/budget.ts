/**
 * Bytes that may be held in memory at once, by all requests together. Whoever gets none does not read on,
 * so its client waits and memory stays flat, however many there are.
 *
 * Rejected: a fixed buffer of 1 MiB for each. 64 clients of a byte a second would have all of them.
 */
export class Budget {
  #free: number;
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** @returns false where there is no room now, or others wait for it */
  tryTake(bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#free < bytes) return false;
    this.#free -= bytes;
    return true;
  }

  /** Waits for its turn. */
  async take(bytes: number): Promise<void> {
    if (this.tryTake(bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ bytes, go: resolve });
    await promise;
  }

  give(bytes: number): void {
    this.#free += bytes;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.bytes > this.#free) return;
      this.#free -= next.bytes;
      this.#waiting.shift();
      next.go();
    }
  }
}
