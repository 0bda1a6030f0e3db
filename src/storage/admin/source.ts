import { createHash } from "node:crypto";
import { parseObjectName } from "../layout.ts";
import type { StorageIdentity } from "../storage.ts";
import { GuardedTree } from "./guarded_tree.ts";
import { entriesOf, type EntriesOptions, type Entry } from "./entries.ts";
import { type Pieces, readPieces } from "./read_object.ts";

/** A storage that is only read: another one is compared with it, filled or repaired from it. */
export interface Source extends Disposable {
  readonly path: string;
  readonly identity: StorageIdentity;
  /** Every public file in the order of the paths, as `entriesOf`. */
  entries(options: EntriesOptions): AsyncGenerator<Entry>;
  /** A public file's bytes, which nobody has checked. Fails while it is read if it cannot be. */
  read(path: string): Pieces;
  /**
   * The bytes of any object with this checksum, or of the public file where that has it. They were right
   * a moment ago; whoever keeps them hashes them again.
   *
   * @throws {Error} there is no good copy
   */
  readGood(sha256: string, publicPath: string): Pieces;
}

/** A storage that this process may read. */
export class LocalSource implements Source {
  readonly #tree: GuardedTree;

  constructor(readonly path: string, readonly identity: StorageIdentity) {
    this.#tree = new GuardedTree(path, identity.format);
  }

  entries(options: EntriesOptions): AsyncGenerator<Entry> {
    const { strange } = options;
    return entriesOf(this.#tree, this.identity.prefixSize, {
      onHiddenLinks: (why) => strange?.(this.path, why),
      ...options,
    });
  }

  read(path: string): Iterable<Uint8Array> {
    return readPieces(this.#tree, path);
  }

  readGood(sha256: string, publicPath: string): Iterable<Uint8Array> {
    return this.read(this.#findGood(sha256, publicPath));
  }

  [Symbol.dispose](): void {}

  /** Any object with these bytes, or the file of the same name. */
  #findGood(sha256: string, publicPath: string): string {
    const directory = this.#tree.objects.directoryOf(sha256);
    for (const { name } of this.#tree.list(directory)) {
      const object = `${directory}/${name}`;
      if (parseObjectName(name)?.sha256 === sha256 && this.#isIntact(object, sha256)) return object;
    }
    if (this.#isIntact(publicPath, sha256)) return publicPath;
    throw new Error(`there is no good copy of ${sha256} in ${this.path}`);
  }

  #isIntact(path: string, sha256: string): boolean {
    try {
      return hashOf(this.read(path)) === sha256;
    } catch {
      // What cannot be read is no good copy either.
      return false;
    }
  }
}

export function hashOf(pieces: Iterable<Uint8Array>): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}
