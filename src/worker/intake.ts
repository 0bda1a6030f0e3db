import { asError, MediaDefectError, MediaFailureError } from "../errors.ts";
import { CHUNK_BYTES } from "../inbox/copy/chunk_bytes.ts";
import type { ChunkPiece } from "../inbox/copy/copy_binary.ts";
import type { Media } from "../media.ts";
import {
  IN_MEMORY_BYTES,
  type NotStored,
  type ObjectWriter,
  type StoreBatch,
} from "../storage/storage.ts";

/**
 * Where small media are put together, one after the other. Groups share it: an upload that comes alone is a group,
 * and with a hundred in a second, 300 KB of each waited for V8 to collect them.
 */
export class MediaMemory {
  #bytes = new Uint8Array(0);

  /** At least this many bytes, with whatever was in them. */
  of(size: number): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length < size) this.#bytes = new Uint8Array(size);
    return this.#bytes;
  }
}

/**
 * Takes the chunks of a batch's media, in order, and hands each media to the store. What concerns one
 * media never stops the others; what concerns the storage stops the storing, but not the taking: a COPY
 * must be read to its end.
 */
export class Intake {
  readonly #notStored: NotStored[] = [];
  readonly #batch: StoreBatch;
  #needed: readonly Media[] = [];
  #buffer = new Uint8Array(0);
  #index = 0;
  #filled = 0;
  #nextSeq = 0;
  #writer: ObjectWriter | null = null;
  #skipping = false;
  #over: { readonly error: unknown } | null = null;

  private constructor(batch: StoreBatch) {
    this.#batch = batch;
  }

  /**
   * Settles the larger media that are here already, then takes the chunks of those that are `needed`.
   *
   * @param media in the order in which their chunks will come: by id
   * @param memory used by this intake alone, until it has ended
   */
  static async open(
    batch: StoreBatch,
    media: readonly Media[],
    memory: MediaMemory,
  ): Promise<Intake> {
    const intake = new Intake(batch);
    const needed: Media[] = [];
    for (const each of media) {
      try {
        const isHere = each.size > IN_MEMORY_BYTES && await batch.takeStored(each);
        if (!isHere) needed.push(each);
      } catch (error) {
        intake.#note(each, error);
        if (intake.isOver) return intake;
      }
    }
    intake.#needed = needed;
    const small = needed.map(({ size }) => size).filter((size) => size <= IN_MEMORY_BYTES);
    intake.#buffer = memory.of(Math.max(0, ...small));
    return intake;
  }

  /** The media whose chunks are to come, by id. */
  get needed(): readonly Media[] {
    return this.#needed;
  }

  /** Whether the storage takes no more, so that the rest of a large media need not be read. */
  get isOver(): boolean {
    return this.#over !== null;
  }

  /**
   * Whether a media can't become whole any more, its chunks up to `seq` having been asked for. Its size may
   * be as wrong as its chunks: asking for the rest of 2^63 bytes would hold up all others for ever.
   */
  lacks(seq: number): boolean {
    return this.#skipping || this.#nextSeq <= seq;
  }

  /** Takes the next piece. Returns what remains to be done with it, where that takes time. */
  take(piece: ChunkPiece): Promise<void> | void {
    if (this.#over !== null) return;
    if (this.#needed[this.#index]?.id !== piece.mediaId) return this.#advanceAndTake(piece);
    if (this.#skipping) return;
    const media = this.#needed[this.#index] as Media;
    const defect = piece.at === 0 ? this.#chunkDefect(media, piece) : null;
    if (defect !== null) return this.#fail(new MediaDefectError(media.id, defect));
    this.#filled += piece.bytes.length;
    if (media.size > IN_MEMORY_BYTES) return this.#write(media, piece.bytes);
    this.#buffer.set(piece.bytes, this.#filled - piece.bytes.length);
  }

  /** Gives up on the media that are not finished, for a reason that lies in the inbox. */
  breakOff(error: unknown): void {
    this.#writer?.abandon();
    this.#writer = null;
    const reason = asError(error);
    for (const media of this.#needed.slice(this.#index)) {
      this.#notStored.push({ media, error: reason });
    }
    this.#index = this.#needed.length;
  }

  /**
   * Ends the intake with the last media, and those that had no chunk at all.
   *
   * @returns the media that were not taken, and what ended the taking before its time, or null: the storage
   * is paused, and what it took before may be published, or it is over
   */
  async end(): Promise<{ readonly notStored: readonly NotStored[]; readonly over: unknown }> {
    while (this.#over === null && this.#index < this.#needed.length) await this.#finish();
    return { notStored: this.#notStored, over: this.#over?.error ?? null };
  }

  async #advanceAndTake(piece: ChunkPiece): Promise<void> {
    while (this.#needed[this.#index]?.id !== piece.mediaId) {
      if (this.#index >= this.#needed.length) {
        throw new TypeError(
          `the inbox sent a chunk of media ${piece.mediaId}, which was not asked for`,
        );
      }
      await this.#finish();
      if (this.#over !== null) return;
    }
    await this.take(piece);
  }

  #chunkDefect(media: Media, { seq, chunkLength }: ChunkPiece): string | null {
    if (seq !== this.#nextSeq) {
      return seq < this.#nextSeq
        ? `chunk ${seq} comes twice`
        : `chunk ${this.#nextSeq} is missing: after it comes ${seq}`;
    }
    this.#nextSeq += 1;
    const left = media.size - this.#filled;
    const due = Math.min(left, CHUNK_BYTES);
    if (chunkLength === due && due > 0) return null;
    return `chunk ${seq} has ${chunkLength} bytes where ${due} are due: the media has ${media.size}`;
  }

  async #write(media: Media, bytes: Uint8Array): Promise<void> {
    try {
      this.#writer ??= await this.#batch.createObject(media);
      await this.#writer.write(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Hands the media that is due to the store, whole, and turns to the next. */
  async #finish(): Promise<void> {
    const media = this.#needed[this.#index] as Media;
    if (!this.#skipping) {
      try {
        if (this.#filled < media.size) {
          throw new MediaDefectError(
            media.id,
            `chunks are missing: they have ${this.#filled} bytes, the media has ${media.size}`,
          );
        }
        if (this.#writer !== null) await this.#writer.close();
        else await this.#batch.storeBytes(media, this.#buffer.subarray(0, this.#filled));
        this.#writer = null;
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#index += 1;
    this.#filled = 0;
    this.#nextSeq = 0;
    this.#skipping = false;
  }

  #fail(error: unknown): void {
    this.#writer?.abandon();
    this.#writer = null;
    this.#note(this.#needed[this.#index] as Media, error);
    this.#skipping = true;
  }

  /** What concerns one media is noted for it; anything else is the end of the storing. */
  #note(media: Media, error: unknown): void {
    if (error instanceof MediaDefectError || error instanceof MediaFailureError) {
      this.#notStored.push({ media, error });
    } else {
      this.#over = { error };
    }
  }
}
