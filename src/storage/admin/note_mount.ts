import { ConfigurationError } from "../../errors.ts";
import { mountKind, mustBeNoted } from "../file_systems.ts";
import type { NotedMount } from "../storage.ts";

/** What an administrator's command found mounted at a root, and what was said about it. */
export interface MountFound {
  /** As /proc/self/mountinfo names it. */
  readonly type: string;
  /** The words of `--accept`, if they were given. */
  readonly accept?: string;
}

/**
 * What storage.json is to say of a root's mount: nothing where `statfs` says enough. What was accepted of
 * the same kind stays accepted.
 *
 * @param before what it says now, if there is one
 * @throws {ConfigurationError} a file system that no storage may lie on, or one to be accepted in words
 *   that were not given, or were given although nothing is to be accepted
 */
export function noteMount(
  root: string,
  { type, accept }: MountFound,
  before: NotedMount | undefined,
): NotedMount | undefined {
  const { note, acceptance, unfit } = mountKind(type);
  const why = note === null ? "" : ` (${note})`;
  if (unfit) {
    throw new ConfigurationError(`Cannot make a storage on ${type}${why}; use ext4 or XFS`);
  }
  if (acceptance === null) {
    if (accept !== undefined) {
      throw new ConfigurationError(
        `${root} is on ${type}, of which nothing has to be accepted; leave out --accept`,
      );
    }
    return mustBeNoted(type) ? { type } : undefined;
  }
  const isSame = before?.type === type && before.accepted?.words === acceptance;
  if (isSame && (accept === undefined || accept === acceptance)) return before;
  if (accept !== acceptance) {
    throw new ConfigurationError(
      `${root} is on ${type}${why}: what it has acknowledged may be gone after a power cut. If you ` +
        `want that, give --accept "${acceptance}"` +
        (accept === undefined ? "" : `, in exactly these words and not ${JSON.stringify(accept)}`),
    );
  }
  return { type, accepted: { words: acceptance, at: new Date().toISOString() } };
}
