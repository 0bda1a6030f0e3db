/** What one read of a body may bring. */
const READ_BYTES = 64 * 1024;
/** Buffers that are kept while they are not in use. */
const MOST_SPARE = 256;

/** Buffers for reading, used again: a new one for each read is what the runtime does by itself. */
export class ReadBuffers {
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];

  take(): Uint8Array<ArrayBuffer> {
    return this.#spare.pop() ?? new Uint8Array(READ_BYTES);
  }

  /** @param buffer of any length where a read that never ended has kept it */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length === READ_BYTES && this.#spare.length < MOST_SPARE) this.#spare.push(buffer);
  }
}
