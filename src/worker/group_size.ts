import type { GroupBounds } from "./parts.ts";

/**
 * What one group may take. Longer, and receipts come late, a COPY holds its snapshot for as long, and a
 * death leaves more to do again. Ext4 on the slowest hard disk stays below with the default of 1024 media:
 * it takes over a hundred a second. GlusterFS takes 8 to 34, and 1024 of them took two minutes.
 */
const TARGET_SECONDS = 10;

/** Over a network, the first group is to show how long they take, and must not take minutes for that. */
const FIRST_REMOTE_FILES = 64;

/** How many media go together: as many as the storage takes in a few seconds, by how it took the last ones. */
export class GroupSize implements GroupBounds {
  readonly bytes: number;
  readonly #most: number;
  #files: number;

  /** @param isRemote the storage is reached over a network */
  constructor({ files, bytes }: GroupBounds, isRemote: boolean) {
    this.bytes = bytes;
    this.#most = files;
    this.#files = isRemote ? Math.min(files, FIRST_REMOTE_FILES) : files;
  }

  get files(): number {
    return this.#files;
  }

  /**
   * To be called after each group that was stored.
   *
   * @param files that it had
   * @param seconds from its first byte until it was durable, without waiting for others
   */
  took(files: number, seconds: number): void {
    if (seconds > TARGET_SECONDS) {
      // One alone may be a film: how long that takes says nothing of pictures.
      if (files < 2) return;
      const fitting = Math.floor(files * TARGET_SECONDS / seconds);
      this.#files = Math.max(1, Math.min(this.#files, fitting));
    } else if (seconds < TARGET_SECONDS / 2 && files * 2 > this.#files) {
      // Not because it had little to do. Doubled and no more: a group can be quick for many reasons.
      this.#files = Math.min(this.#most, this.#files * 2);
    }
  }
}
