/** A file's SHA-256, computed while the file is being sent: each byte is read for it once, whatever is sent again. */

/** What is in memory of a file at once. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** The file is not what it was when it was chosen. */
export class Changed extends Error {
  constructor() {
    super("The file cannot be read any more: it was changed, moved or deleted. Choose it again.");
  }
}

export class Checksum {
  #file;
  #hash;
  #at = 0;
  #turn = Promise.resolve();

  constructor(file, hash) {
    this.#file = file;
    this.#hash = hash;
  }

  static async of(file) {
    const hash = await globalThis.hashwasm.createSHA256();
    return new Checksum(file, hash.init());
  }

  /** Bytes that are read. */
  get at() {
    return this.#at;
  }

  /**
   * Waits until everything up to `end` is read. Whoever does not wait hears of a failure the next time.
   *
   * @param onRead called with the bytes that have been read
   */
  reach(end, signal, onRead) {
    this.#turn = this.#turn.then(() => this.#read(end, signal, onRead));
    this.#turn.catch(() => {});
    return this.#turn;
  }

  async #read(end, signal, onRead) {
    while (this.#at < end) {
      signal.throwIfAborted();
      const next = Math.min(this.#at + PIECE_BYTES, end);
      this.#hash.update(await bytesOf(this.#file, this.#at, next));
      this.#at = next;
      onRead?.(next);
    }
  }

  /** Of the whole file, once it is read to its end. */
  digest() {
    const state = this.#hash.save();
    const bytes = this.#hash.digest("binary");
    // It can be asked for again.
    this.#hash.load(state);
    return {
      hex: [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
      base64: btoa(String.fromCharCode(...bytes)),
    };
  }
}

/** @throws {Changed} they cannot be read */
export async function bytesOf(file, start, end) {
  let bytes;
  try {
    bytes = new Uint8Array(await file.slice(start, end).arrayBuffer());
  } catch {
    throw new Changed();
  }
  if (bytes.length !== end - start) throw new Changed();
  return bytes;
}
