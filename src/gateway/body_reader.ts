import type { ReadBuffers } from "./read_buffers.ts";

type OwnBuffers = ReadableStreamBYOBReader;
type Plain = ReadableStreamDefaultReader<Uint8Array>;

/** Reads a request's body into a buffer that is used again. */
export class BodyReader {
  readonly #into: OwnBuffers | null;
  readonly #plain: Plain | null;
  #buffer: Uint8Array<ArrayBuffer>;

  constructor(body: ReadableStream<Uint8Array>, private readonly buffers: ReadBuffers) {
    this.#into = readerInto(body);
    this.#plain = this.#into === null ? body.getReader() : null;
    this.#buffer = buffers.take();
  }

  /** @returns what came, until the next read; null at the end, or once cancelled */
  async read(): Promise<Uint8Array | null> {
    if (this.#into === null) return (await this.#plain?.read())?.value ?? null;
    const { value, done } = await this.#into.read(this.#buffer);
    // The same memory: reading has taken it out of its old array.
    if (value !== undefined) this.#buffer = new Uint8Array(value.buffer);
    return done ? null : value;
  }

  /** Nothing more is wanted: a read that waits ends. */
  cancel(): void {
    const reader = this.#into ?? this.#plain;
    reader?.cancel().catch(() => {});
  }

  /** Another may read the rest: a read that waits fails. */
  leave(): void {
    const reader = this.#into ?? this.#plain;
    reader?.releaseLock();
  }

  /** Gives its buffer back, unless a read that never ended has kept it. */
  close(): void {
    this.buffers.give(this.#buffer);
  }
}

/** @returns null for a short body, which the runtime has whole already, in a stream of another kind */
function readerInto(body: ReadableStream<Uint8Array>): OwnBuffers | null {
  try {
    return body.getReader({ mode: "byob" });
  } catch (error) {
    if (error instanceof TypeError && !body.locked) return null;
    throw error;
  }
}
