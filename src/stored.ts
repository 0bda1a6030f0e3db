/** What a storage says and the inbox writes down. Neither knows the other; the worker carries it over. */
import type { Media, Outcome } from "./media.ts";

/** A media that a storage has, durably. */
export interface Stored {
  readonly media: Media;
  readonly outcome: Outcome;
  /** Relative to the root; null if it is the media's usual path. */
  readonly path: string | null;
}

/** Free space as `statfs` gives it to an unprivileged process. */
export interface FreeSpace {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly inodes: number;
  readonly totalInodes: number;
}
