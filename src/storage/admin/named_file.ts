import { closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import { cannot, ConfigurationError } from "../../errors.ts";
import { readDescriptor } from "./read_object.ts";

/**
 * A regular file outside the trees that the command line names. It is opened by whoever starts the
 * program, before that becomes the tree's owner, and then used by its descriptor alone.
 */
export class NamedFile {
  private constructor(readonly path: string, readonly fd: number) {}

  /** For reading. @throws {ConfigurationError} it cannot be read, or is a FIFO, say */
  static toRead(path: string): NamedFile {
    return NamedFile.#open(path, constants.O_RDONLY, "read");
  }

  /**
   * For reading and appending; made where it is missing. Refuses a link: in a directory that is open to
   * all, such as /var/tmp, another user may have made it.
   */
  static toAppend(path: string): NamedFile {
    const { O_RDWR, O_APPEND, O_CREAT } = constants;
    return NamedFile.#open(path, O_RDWR | O_APPEND | O_CREAT, "keep the state in", true);
  }

  static #open(path: string, flags: number, what: string, refuseLink = false): NamedFile {
    let fd: number | null = null;
    try {
      if (refuseLink && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
        throw new Error("it is a symbolic link");
      }
      fd = openSync(path, flags | constants.O_NONBLOCK, 0o600);
      const opened = fstatSync(fd);
      if (!opened.isFile()) throw new Error("it is not a regular file");
      const named = lstatSync(path);
      if (refuseLink && (named.dev !== opened.dev || named.ino !== opened.ino)) {
        throw new Error("it was replaced while it was opened");
      }
      return new NamedFile(path, fd);
    } catch (error) {
      if (fd !== null) closeSync(fd);
      throw new ConfigurationError(cannot(`${what} ${path}`, error));
    }
  }

  /** Its bytes from the beginning, as `readDescriptor`. */
  pieces(): Generator<Uint8Array> {
    return readDescriptor(this.fd);
  }

  /** All of it as text. @param most characters, little beyond which no more is read */
  text(most = Infinity): string {
    const decoder = new TextDecoder();
    let text = "";
    for (const piece of this.pieces()) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > most) break;
    }
    return text + decoder.decode();
  }

  close(): void {
    closeSync(this.fd);
  }
}
