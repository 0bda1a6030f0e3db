import type { Media } from "../media.ts";
import { examine } from "./existing.ts";
import type { AwaitableCalls } from "./file_calls.ts";

/** An object that is whole and fdatasynced, and could not be given its public name. */
export interface Unlinked {
  readonly sha256: string;
  /** Relative to the root. */
  readonly path: string;
}

/** 3 MB. One that is forgotten costs an orphan, if its media ever comes again. */
const MOST = 10_000;

/**
 * Objects that could not be linked (the disk was full or read-only, or another file has the name), to be
 * taken up when their media come again: without it a pause would leave a whole batch of orphans, and
 * each retry one. No contradiction to "an object that exists is never reused": this process has itself
 * seen these written and synced without an error.
 */
export class UnlinkedObjects {
  readonly #objects = new Map<bigint, Unlinked>();

  constructor(private readonly root: string, private readonly calls: AwaitableCalls) {}

  /** Nearly always 0, and then there is nothing to wait for. */
  get size(): number {
    return this.#objects.size;
  }

  remember(mediaId: bigint, object: Unlinked): void {
    this.#objects.set(mediaId, object);
    if (this.#objects.size <= MOST) return;
    const [oldest] = this.#objects.keys();
    if (oldest !== undefined) this.#objects.delete(oldest);
  }

  /**
   * Hands out the object of this media that only lacks its public name, or null. Read once more: hours
   * may have passed, and nothing has held it since.
   *
   * @throws {StorageDistrustedError} its fdatasync failed
   */
  async take(media: Media): Promise<Unlinked | null> {
    const object = this.#objects.get(media.id);
    if (object === undefined) return null;
    this.#objects.delete(media.id);
    if (object.sha256 !== media.sha256) return null;
    const there = await examine(`${this.root}/${object.path}`, media, this.calls);
    return there === "same bytes" ? object : null;
  }
}
