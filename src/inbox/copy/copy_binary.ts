/** A contiguous part of one chunk's bytes, as far as one network read brought it. */
export interface ChunkPiece {
  readonly mediaId: bigint;
  readonly seq: number;
  /** Bytes of the whole chunk. */
  readonly chunkLength: number;
  /** Where in the chunk this piece begins, in bytes. */
  readonly at: number;
  /** A view into the network's buffer: valid until the next piece is asked for. */
  readonly bytes: Uint8Array;
}

/** "PGCOPY\n\377\r\n\0", then flags (int32) and the length of a header extension (int32). */
const SIGNATURE = new Uint8Array([
  0x50,
  0x47,
  0x43,
  0x4f,
  0x50,
  0x59,
  0x0a,
  0xff,
  0x0d,
  0x0a,
  0x00,
]);
const FILE_HEADER_BYTES = SIGNATURE.length + 4 + 4;
/** Count of fields (int16), then length (int32) and value of media_id (int64) and seq (int32), then a length. */
const ROW_HEADER_BYTES = 2 + (4 + 8) + (4 + 4) + 4;
const END_OF_DATA = -1;

/**
 * Reads PostgreSQL's binary COPY form of rows `(media_id bigint, seq int, bytes bytea)`, as it comes in
 * pieces of any length, without ever putting a chunk together: assembling 256 KiB chunks made a large
 * media half as fast.
 *
 * The form is that of PostgreSQL's manual, chapter COPY, "Binary Format".
 */
export class CopyBinaryParser {
  /** Bytes of a header that one piece began and the next must end. */
  readonly #header = new Uint8Array(ROW_HEADER_BYTES);
  #headerFilled = 0;
  #began = false;
  #ended = false;
  #row: { mediaId: bigint; seq: number; length: number } | null = null;
  #at = 0;

  /** Whether the end marker has been read: a stream that stops before it was cut. */
  get ended(): boolean {
    return this.#ended;
  }

  /** @throws {TypeError} on anything that is not this form */
  *push(piece: Uint8Array): Generator<ChunkPiece, void, undefined> {
    let rest = piece;
    while (rest.length > 0 || this.#row !== null) {
      if (this.#row === null) {
        rest = this.#takeHeader(rest);
        continue;
      }
      const { mediaId, seq, length } = this.#row;
      const bytes = rest.subarray(0, length - this.#at);
      if (bytes.length === 0 && length > 0) return;
      yield { mediaId, seq, chunkLength: length, at: this.#at, bytes };
      rest = rest.subarray(bytes.length);
      this.#at += bytes.length;
      if (this.#at === length) this.#row = null;
    }
  }

  /** Fills the header that is due, reads it when it is whole, returns what is behind it. */
  #takeHeader(piece: Uint8Array): Uint8Array {
    if (this.#ended) throw new TypeError("COPY goes on behind its end marker");
    const wanted = this.#began ? this.#rowHeaderLength(piece) : FILE_HEADER_BYTES;
    const part = piece.subarray(0, wanted - this.#headerFilled);
    this.#header.set(part, this.#headerFilled);
    this.#headerFilled += part.length;
    if (this.#headerFilled === wanted) {
      this.#headerFilled = 0;
      if (!this.#began) this.#readFileHeader();
      else this.#readRowHeader(wanted);
    }
    return piece.subarray(part.length);
  }

  /** Two bytes if they are the end marker, which has no row behind it. */
  #rowHeaderLength(piece: Uint8Array): number {
    const first = this.#headerFilled > 0 ? this.#header[0] : piece[0];
    return first === 0xff ? 2 : ROW_HEADER_BYTES;
  }

  #readFileHeader(): void {
    const view = new DataView(this.#header.buffer);
    if (!SIGNATURE.every((byte, i) => this.#header[i] === byte)) {
      throw new TypeError("COPY does not begin with the signature of its binary form");
    }
    if (view.getInt32(SIGNATURE.length) !== 0 || view.getInt32(SIGNATURE.length + 4) !== 0) {
      throw new TypeError(
        "COPY has flags or a header extension, which its binary form has not in 15–18",
      );
    }
    this.#began = true;
  }

  #readRowHeader(length: number): void {
    const view = new DataView(this.#header.buffer);
    const fields = view.getInt16(0);
    if (length === 2 && fields === END_OF_DATA) {
      this.#ended = true;
      return;
    }
    const bytes = view.getInt32(22);
    if (fields !== 3 || view.getInt32(2) !== 8 || view.getInt32(14) !== 4 || bytes < 0) {
      throw new TypeError("COPY has a row that is not (media_id bigint, seq int, bytes bytea)");
    }
    this.#row = { mediaId: view.getBigInt64(6), seq: view.getInt32(18), length: bytes };
    this.#at = 0;
  }
}
