/**
 * What `verify` can find, and how bad it is:
 * - harm: bytes are wrong, unreadable, or vouched for by nobody
 * - disorder: nothing is lost, but something is not as the worker leaves it
 * - note: expected now and then; `storage sweep` clears it away
 */
export const FINDING_KINDS = {
  /** The object's bytes are not what its name says. */
  corrupt: "harm",
  /** The object cannot be read, or changed while it was. */
  unreadable: "harm",
  /** A public file that is a link to no object. */
  unvouched: "harm",
  /** A public name that carries another checksum than its object. */
  misnamed: "harm",
  /** An object with the right bytes and no public name, and no other of these bytes has one. */
  unlinked: "disorder",
  /** A name that nobody of this project makes, or something else than a file or directory. */
  unexpected: "disorder",
  mode: "disorder",
  owner: "disorder",
  /** An object with a further link that is no public name. */
  link: "disorder",
  /** An object without a public name that nobody misses: an attempt that died, or one under way. */
  orphan: "note",
} as const;

export type FindingKind = keyof typeof FINDING_KINDS;

export interface Finding {
  readonly kind: FindingKind;
  /** Relative to the root. */
  readonly path: string;
  /** A sentence that follows the path. */
  readonly detail: string;
  /** Where readers see a corrupt object. */
  publicPath?: string;
}

export function isHarm(finding: Finding): boolean {
  return FINDING_KINDS[finding.kind] === "harm";
}

export function isNote(finding: Finding): boolean {
  return FINDING_KINDS[finding.kind] === "note";
}
