/** What can be wrong with what a storage has. */
export const FINDING_KINDS = [
  "missing",
  "corrupt",
  "unreadable",
  "unexpected",
  "wrong size",
  "receipt without file",
  "file without receipt",
] as const;

/**
 * - `missing`: a name of a media is gone, its bytes are still there under another
 * - `corrupt`: an object's bytes are not those that its name says
 * - `unreadable`: the operating system does not give the bytes
 * - `unexpected`: something that no program of this project makes, also in a media's place
 * - `wrong size`: a file has not the size that its receipt says
 * - `receipt without file`: nothing is left of a media that the inbox has a receipt for
 * - `file without receipt`: a public file of which the inbox knows nothing
 */
export type FindingKind = (typeof FINDING_KINDS)[number];

/** How thoroughly a look looks: at names and sizes, or at every byte. */
export type Depth = "shallow" | "deep";

/** Something that a look found wrong. */
export interface Finding {
  readonly kind: FindingKind;
  /** Relative to the root, as the tree has it: to be escaped before it is shown. */
  readonly path: string;
  /** A sentence that follows the path, with the fix. */
  readonly detail: string;
  /** The media whose receipt says that it should be otherwise; null if no receipt is concerned. */
  readonly mediaId: bigint | null;
}
