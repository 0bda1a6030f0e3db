import { join } from "node:path";
import { pause } from "./command.ts";
import { type Expected } from "./expected.ts";
import { publicNames } from "./tree.ts";
import { sha256Of } from "../support/media.ts";

/** Names that are read again in each round, in turn: with all of an hour's, new ones would have to wait. */
const AGAIN = 500;

/**
 * Reads the public names of a root over and over while a run goes on (I3): each new name at once, and
 * the others again in turn. What it saw once must stay, as the same file.
 */
export class NameWatcher implements AsyncDisposable {
  readonly #seen = new Map<string, number | null>();
  readonly #wrong: string[] = [];
  #turn: string[] = [];
  #stopping = false;
  #reads = 0;
  readonly #done: Promise<void>;

  constructor(private readonly root: string, private readonly expected: Expected) {
    this.#done = this.#watch();
  }

  /**
   * @returns how often a name was read, and each thing that should not have been
   * @throws where there are names and none was ever read: then it has proved nothing
   */
  async stop(): Promise<{ reads: number; wrong: readonly string[] }> {
    await this.#end();
    const names = await publicNames(this.root);
    if (this.#reads === 0 && names.length > 0) {
      throw new Error(`None of the ${names.length} names in ${this.root} was ever read`);
    }
    return { reads: this.#reads, wrong: this.#wrong };
  }

  async #end(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  async #watch(): Promise<void> {
    while (!this.#stopping) {
      const names = await publicNames(this.root);
      const fresh = names.filter((name) => !this.#seen.has(name));
      for (const name of fresh) await this.#look(name);
      for (const name of this.#nextAgain()) await this.#look(name);
      await pause(1);
    }
  }

  #nextAgain(): readonly string[] {
    if (this.#turn.length === 0) this.#turn = [...this.#seen.keys()];
    return this.#turn.splice(0, AGAIN);
  }

  async #look(name: string): Promise<void> {
    this.#reads++;
    try {
      using file = await Deno.open(join(this.root, name));
      const { ino, size } = await file.stat();
      const before = this.#seen.get(name);
      if (before !== undefined && before !== ino) this.#report(`${name} became another file`);
      this.#seen.set(name, ino);
      const bytes = await readAll(file, size);
      if (!this.expected.allows(name, sha256Of(bytes))) {
        this.#report(`${name} showed ${bytes.length} bytes that were never submitted for it`);
      }
    } catch (error) {
      this.#report(`${name} could not be read: ${error}`);
    }
  }

  #report(what: string): void {
    if (this.#wrong.length < 20) this.#wrong.push(what);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

async function readAll(file: Deno.FsFile, size: number): Promise<Uint8Array> {
  // One more than it should hold, so that a file still growing is seen.
  const bytes = new Uint8Array(size + 1);
  let got = 0;
  for (let more = await file.read(bytes); more; more = await file.read(bytes.subarray(got))) {
    got += more;
    if (got === bytes.length) break;
  }
  return bytes.subarray(0, got);
}
