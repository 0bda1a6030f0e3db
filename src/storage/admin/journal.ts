import { fsyncSync, ftruncateSync, writeSync } from "node:fs";
import { UsageError } from "../../errors.ts";
import type { StorageIdentity } from "../storage.ts";
import type { VerifyFinding } from "./findings.ts";
import type { NamedFile } from "./named_file.ts";

/** One directory of objects that has been hashed. */
export interface DirectoryResult {
  readonly directory: string;
  readonly objects: number;
  readonly bytes: number;
  readonly findings: readonly VerifyFinding[];
}

/**
 * Where a long verification stands, kept outside the storage, in a file that the administrator names:
 * whose it is, then a line for each directory of objects that is done.
 */
export class Journal {
  private constructor(
    readonly file: NamedFile,
    readonly done: ReadonlyMap<string, DirectoryResult>,
  ) {}

  /** @throws {UsageError} a file that is the journal of another storage, or none */
  static of(file: NamedFile, identity: StorageIdentity, fraction: number): Journal {
    const head = JSON.stringify({ "omoide verify": 1, uuid: identity.uuid, fraction });
    const text = file.text();
    // What follows the last line feed is a line that a run which died had not finished.
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const [first, ...lines] = whole.split("\n");
    if (text.startsWith("{") || text === "") {
      if (whole === "") {
        ftruncateSync(file.fd, 0);
        writeSync(file.fd, head + "\n");
        return new Journal(file, new Map());
      }
      if (first === head) {
        ftruncateSync(file.fd, new TextEncoder().encode(whole).length);
        const results = lines.filter((line) => line !== "").map(parse);
        return new Journal(file, new Map(results.map((result) => [result.directory, result])));
      }
    }
    file.close();
    throw new UsageError(
      `${file.path} is not the state of this verification (${head}); give another name to --resume`,
    );
  }

  add(result: DirectoryResult): void {
    writeSync(this.file.fd, JSON.stringify(result) + "\n");
  }

  close(): void {
    fsyncSync(this.file.fd);
    this.file.close();
  }
}

function parse(line: string): DirectoryResult {
  return JSON.parse(line) as DirectoryResult;
}
