/** Lets a bounded number of tasks go on at once; the others wait in the order in which they came. */
export class Slots {
  readonly #count: number;
  #free: number;
  /** When a slot was given back last, or the first was taken. */
  #movedAt = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#count = count;
    this.#free = count;
  }

  /** Takes a slot now, if one is free: nothing is awaited on the usual way. */
  tryTake(): boolean {
    if (this.#free === 0) return false;
    if (this.#free === this.#count) this.#movedAt = performance.now();
    this.#free -= 1;
    return true;
  }

  async take(): Promise<void> {
    if (this.tryTake()) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    this.#movedAt = performance.now();
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  /** Milliseconds for which slots have been in use and none was given back; 0 where none is in use. */
  stillForMs(): number {
    return this.#free === this.#count ? 0 : performance.now() - this.#movedAt;
  }
}
