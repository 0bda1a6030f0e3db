import { ConfigurationError } from "../errors.ts";
import { familyOf, type FileSystemKind, fileSystemKind, FUSE, mountKind } from "./file_systems.ts";
import type { StorageIdentity } from "./storage.ts";

/**
 * What a storage lies on, as far as it may be relied on: `statfs` shows what is mounted now, storage.json
 * what `storage init` found, and what an administrator has accepted.
 *
 * A storage that moves from one local disk to another (ext4 to XFS) is no change. From or to anything that
 * is noted is: a brick of GlusterFS has the whole tree on it, storage.json included, and a worker that
 * writes there writes behind the back of GlusterFS.
 *
 * @param magic the type that `statfs` reports
 * @throws {ConfigurationError} nothing that a storage may lie on, not accepted, or not what was noted
 */
export function requireMount(
  root: string,
  { mount, storage }: StorageIdentity,
  magic: number,
): FileSystemKind {
  const found = fileSystemKind(magic);
  const again = `run \`storage init ${storage} ${root}\` again`;
  if (found.unfit) {
    throw new ConfigurationError(
      `${root} is on ${found.name}, which ${found.note}; use ext4 or XFS`,
    );
  }
  if (mount === undefined) {
    if (found.name === FUSE) {
      throw new ConfigurationError(
        `${root} is on FUSE, and its storage.json does not say of which kind: mount what belongs ` +
          `there, or ${again}, which looks at it`,
      );
    }
    requireAccepted(root, found, undefined, again);
    return found;
  }
  if (familyOf(mount.type) !== found.name) {
    throw new ConfigurationError(
      `${root} is on ${found.name}, and was on ${mount.type} when \`storage init\` looked: mount what ` +
        `belongs there, or, if the storage has moved, ${again}`,
    );
  }
  const kind = mountKind(mount.type);
  requireAccepted(root, kind, mount.accepted?.words, again);
  return kind;
}

function requireAccepted(
  root: string,
  { name, note, acceptance }: FileSystemKind,
  words: string | undefined,
  again: string,
): void {
  if (acceptance === null || words === acceptance) return;
  throw new ConfigurationError(
    `${root} is on ${name}${
      note === null ? "" : ` (${note})`
    }, which an administrator must accept: ` +
      `${again} with --accept "${acceptance}"`,
  );
}

/**
 * What a storage lies on that an administrator has accepted, when, and in which words; null where nothing
 * had to be.
 */
export function showAcceptance({ mount }: StorageIdentity): string | null {
  if (mount?.accepted === undefined) return null;
  const { words, at } = mount.accepted;
  return `${mount.type}, accepted on ${at.slice(0, 10)} ("${words}")`;
}
