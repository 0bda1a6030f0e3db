import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { ConfigurationError, messageOf, UsageError } from "../../errors.ts";
import type { StorageIdentity } from "../storage.ts";
import type { Finding } from "./findings.ts";

/** One directory of objects that has been hashed. */
export interface DirectoryResult {
  readonly directory: string;
  readonly objects: number;
  readonly bytes: number;
  readonly findings: readonly Finding[];
}

/**
 * Where a long verification stands, kept outside the storage, in a file that the administrator names:
 * whose it is, then a line for each directory of objects that is done. Opened before the program gives
 * up its permission to write.
 */
export class Journal {
  readonly done: ReadonlyMap<string, DirectoryResult>;
  readonly #fd: number;

  private constructor(fd: number, done: ReadonlyMap<string, DirectoryResult>) {
    this.#fd = fd;
    this.done = done;
  }

  /** @throws {UsageError} a file that is the journal of another storage, or none */
  static open(file: string, identity: StorageIdentity, fraction: number): Journal {
    const head = JSON.stringify({ "omoide verify": 1, uuid: identity.uuid, fraction });
    let fd: number;
    let text: string;
    try {
      fd = openSync(file, "a+", 0o600);
      text = readFileSync(file, "utf8");
    } catch (error) {
      throw new ConfigurationError(
        `Cannot keep the state in ${file}: ${messageOf(error)}`,
      );
    }
    // What follows the last line feed is a line that a run which died had not finished.
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const [first, ...lines] = whole.split("\n");
    if (text.startsWith("{") || text === "") {
      if (whole === "") {
        ftruncateSync(fd, 0);
        writeSync(fd, head + "\n");
        return new Journal(fd, new Map());
      }
      if (first === head) {
        ftruncateSync(fd, new TextEncoder().encode(whole).length);
        const results = lines.filter((line) => line !== "").map(parse);
        return new Journal(fd, new Map(results.map((result) => [result.directory, result])));
      }
    }
    closeSync(fd);
    throw new UsageError(
      `${file} is not the state of this verification (${head}); give another name to --resume`,
    );
  }

  add(result: DirectoryResult): void {
    writeSync(this.#fd, JSON.stringify(result) + "\n");
  }

  close(): void {
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }
}

function parse(line: string): DirectoryResult {
  return JSON.parse(line) as DirectoryResult;
}
