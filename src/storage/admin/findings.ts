/**
 * What `verify` can find, and how bad it is:
 * - harm: bytes are wrong, unreadable, or vouched for by nobody
 * - disorder: nothing is lost, but something is not as the worker leaves it
 * - note: expected now and then; `storage sweep` clears it away
 */
export const VERIFY_KINDS = {
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

export type VerifyKind = keyof typeof VERIFY_KINDS;

export interface VerifyFinding {
  readonly kind: VerifyKind;
  /** Relative to the root. */
  readonly path: string;
  /** A sentence that follows the path. */
  readonly detail: string;
  /** Where readers see a corrupt object. */
  publicPath?: string;
}

export function isHarm(finding: VerifyFinding): boolean {
  return VERIFY_KINDS[finding.kind] === "harm";
}

export function isNote(finding: VerifyFinding): boolean {
  return VERIFY_KINDS[finding.kind] === "note";
}
