/**
 * A fixed number of buffers in which portions are put together for the database: as many as can be sent
 * at once. Whoever gets none waits, with what came in still in pieces, which the budget bounds. A new
 * one for each portion would be a megabyte for each upload that waits for the database.
 */
export class Buffers {
  readonly #free: Uint8Array[] = [];
  readonly #waiting: ((buffer: Uint8Array) => void)[] = [];
  #left: number;

  /** @param count of them @param bytes of each */
  constructor(count: number, private readonly bytes: number) {
    this.#left = count;
  }

  async take(): Promise<Uint8Array> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#left > 0) {
      this.#left -= 1;
      return new Uint8Array(this.bytes);
    }
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    this.#waiting.push(resolve);
    return await promise;
  }

  give(buffer: Uint8Array): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next(buffer);
  }
}
