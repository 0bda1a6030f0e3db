import { ConfigurationError, messageOf } from "../../errors.ts";
import { parseIdentity } from "../../storage/identity.ts";
import type { StorageIdentity } from "../../storage/storage.ts";
import { type EntriesOptions, type Entry, entryOf } from "../../storage/admin/entries.ts";
import type { Source } from "../../storage/admin/source.ts";
import { type Frame, readFrames } from "./frames.ts";

/** What a tree's reader is asked, one JSON value a line; it answers one after the other. */
export type Request =
  | { readonly ask: "entries" }
  | { readonly ask: "read"; readonly path: string }
  | { readonly ask: "good"; readonly sha256: string; readonly publicPath: string };

/** One batch of an answer to `entries`. */
export interface EntriesAnswer {
  readonly entries: readonly (readonly [
    path: string,
    object: string,
    size: number,
    writtenAt: number,
  ])[];
  /** What has no place where it is, and why. */
  readonly strange: readonly (readonly [path: string, why: string])[];
}

/** The reader, that is this program once more, running as root until it has become the tree's owner. */
export type Reader = Deno.ChildProcess;

/**
 * Starts the reader of a tree whose owner is not the one whose rights this process is about to take.
 * A process has one user, and the objects of either tree are for its own user alone: the one that
 * writes must not be able to read everything, nor the one that reads to write.
 */
export function startReader(path: string): Reader {
  const self = Deno.build.standalone ? [] : ["run", "-A", "--no-check", Deno.mainModule];
  const kept = ["PATH", "HOME", "DENO_DIR", "TMPDIR", "NO_COLOR"]
    .flatMap((name) => [[name, Deno.env.get(name)]])
    .filter((entry): entry is [string, string] => entry[1] !== undefined);
  return new Deno.Command(Deno.execPath(), {
    args: [...self, "storage", "serve", path],
    // Not the database's password.
    clearEnv: true,
    env: Object.fromEntries(kept),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** A storage that another process reads, since this one may not. */
export class SourceProcess implements Source {
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #frames: AsyncGenerator<Frame>;

  private constructor(
    readonly path: string,
    readonly identity: StorageIdentity,
    requests: WritableStreamDefaultWriter<Uint8Array>,
    frames: AsyncGenerator<Frame>,
  ) {
    this.#requests = requests;
    this.#frames = frames;
  }

  /** @throws {ConfigurationError} the reader could not open the storage: it has said why */
  static async open(path: string, reader: Reader): Promise<SourceProcess> {
    const frames = readFrames(reader.stdout);
    const { value, done } = await frames.next();
    if (done || value.kind !== "value") {
      throw new ConfigurationError(`Cannot read ${path}: see the line above`);
    }
    const identity = parseIdentity(new TextDecoder().decode(value.payload), path);
    return new SourceProcess(path, identity, reader.stdin.getWriter(), frames);
  }

  async *entries({ strange = () => {}, onName = () => {} }: EntriesOptions): AsyncGenerator<Entry> {
    for await (const { kind, payload } of this.#ask({ ask: "entries" })) {
      if (kind !== "value") throw new Error("an answer that makes no sense");
      const answer: EntriesAnswer = JSON.parse(new TextDecoder().decode(payload));
      for (const [path, why] of answer.strange) strange(path, why);
      for (const [path, object, size, writtenAt] of answer.entries) {
        onName();
        yield entryOf(path, object, size, writtenAt);
      }
    }
  }

  read(path: string): AsyncGenerator<Uint8Array> {
    return this.#bytes({ ask: "read", path });
  }

  readGood(sha256: string, publicPath: string): AsyncGenerator<Uint8Array> {
    return this.#bytes({ ask: "good", sha256, publicPath });
  }

  /** The reader ends with its standard input, or has ended already. */
  [Symbol.dispose](): void {
    this.#requests.close().catch(() => {});
  }

  async *#bytes(request: Request): AsyncGenerator<Uint8Array> {
    for await (const { kind, payload } of this.#ask(request)) {
      if (kind !== "bytes") throw new Error("an answer that makes no sense");
      yield payload;
    }
  }

  /**
   * One answer. What the caller leaves unread of a file is read here, so that the next answer follows; a
   * list that is left unread ends the conversation, since the rest of it may take minutes.
   */
  async *#ask(request: Request): AsyncGenerator<Frame> {
    try {
      await this.#requests.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    } catch (error) {
      throw this.#gone(messageOf(error));
    }
    let ended = false;
    const next = async (): Promise<Frame | null> => {
      const { value, done } = await this.#frames.next();
      if (done) throw this.#gone("it ended");
      ended = value.kind === "end" || value.kind === "error";
      if (value.kind === "error") throw new FileError(new TextDecoder().decode(value.payload));
      return ended ? null : value;
    };
    try {
      for (let frame = await next(); frame !== null; frame = await next()) yield frame;
    } finally {
      const rest = request.ask !== "entries";
      // Whatever it meets: nobody asks for these bytes any more.
      while (rest && !ended && (await next().catch(() => null)) !== null);
      if (!ended) this[Symbol.dispose]();
    }
  }

  #gone(why: string): ConfigurationError {
    return new ConfigurationError(`The process that reads ${this.path} is gone: ${why}`);
  }
}

/** What the reader met at one file: this file's trouble alone. */
class FileError extends Error {
  readonly code = "EREMOTEIO";
}
