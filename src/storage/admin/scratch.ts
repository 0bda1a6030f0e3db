import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError, messageOf } from "../../errors.ts";

/**
 * Room outside memory for sorting, in one file without a name: it is unlinked as soon as it is open, so
 * nothing is left behind however the program ends, and a command may give up its permission to write
 * before it begins to read (reading and writing by descriptor need none).
 */
export class Scratch {
  readonly #fd: number | null;
  readonly #why: string;
  #end = 0;

  private constructor(fd: number | null, why: string) {
    this.#fd = fd;
    this.#why = why;
  }

  /** Never throws: a small tree is sorted in memory, and a missing /tmp concerns only large ones. */
  static open(directory: string = tmpdir()): Scratch {
    const path = join(directory, `omoide-${crypto.randomUUID()}`);
    try {
      const fd = openSync(path, "wx+", 0o600);
      unlinkSync(path);
      return new Scratch(fd, "");
    } catch (error) {
      return new Scratch(null, `${directory}: ${messageOf(error)}`);
    }
  }

  /** Appends bytes; where they begin. */
  append(bytes: Uint8Array): number {
    if (this.#fd === null) {
      throw new ConfigurationError(
        `Cannot sort so many names without a scratch file (${this.#why}); set TMPDIR to a writable directory`,
      );
    }
    const begin = this.#end;
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, begin + done);
    }
    this.#end += bytes.length;
    return begin;
  }

  /** Reads up to `buffer.length` bytes from a place; how many. */
  read(buffer: Uint8Array, position: number): number {
    if (this.#fd === null) return 0;
    return readSync(
      this.#fd,
      Buffer.from(buffer.buffer),
      buffer.byteOffset,
      buffer.length,
      position,
    );
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
  }
}
