import { ConfigurationError } from "../../errors.ts";
import { EventLoopYielder } from "./event_loop_yielder.ts";
import { mountKind } from "../file_systems.ts";
import type { GuardedTree } from "./guarded_tree.ts";
import { readIdentityOf } from "./open_for_admin.ts";
import { walkObjects, walkPublic } from "./walk.ts";

/**
 * A public file and its object are one file with two names, and that is found out by inode. Not every
 * mount shows it:
 * - sshfs gives each name an inode of its own and one link;
 * - inode numbers above 2^53 (Lustre, some FUSE and SMB mounts) fall together as JavaScript's numbers, of
 *   which Deno makes node's bigint ones too: a manifest had 3,287 of 3,420 files with another file's
 *   checksum;
 * - GlusterFS numbers by hashes, which its `enable-ino32` cuts to 32 bits: exact, and two files have one number.
 */
export const NO_LINKS = "shows no hard links, as sshfs does";
export const LARGE_INODES = "numbers its files above 2^53, which this program cannot distinguish";
const HASHED_INODES = "numbers its files by hashes, so that two of them can have one number";

type Seen = Pick<Deno.FileInfo, "ino" | "nlink">;

/** Whether the inode number that Deno gives is the file's own, and not rounded. */
export function isExact({ ino }: Pick<Deno.FileInfo, "ino">): boolean {
  return ino !== null && Number.isSafeInteger(ino);
}

/** Says of what was seen of a tree whether its links can be followed. */
export class LinkView {
  #files = 0;
  #objects = 0;
  #linked = false;
  #exact = true;
  readonly #hashed: boolean;

  /** @param tree a storage's: what is mounted there is noted in its identity */
  constructor(tree: GuardedTree) {
    const { mount } = readIdentityOf(tree.root);
    this.#hashed = mount !== undefined && mountKind(mount.type).hasHashedInodes === true;
  }

  file(info: Seen): void {
    this.#files++;
    this.#note(info);
  }

  object(info: Seen): void {
    this.#objects++;
    this.#note(info);
  }

  /** Whether a link has been seen. */
  get linked(): boolean {
    return this.#linked;
  }

  /** Why not; null where they can. One link has to be seen, if there is anything that could have one. */
  get hidden(): string | null {
    if (this.#hashed) return HASHED_INODES;
    if (!this.#exact) return LARGE_INODES;
    return this.#files > 0 && this.#objects > 0 && !this.#linked ? NO_LINKS : null;
  }

  #note(info: Seen): void {
    if (info.nlink !== 1) this.#linked = true;
    if (!isExact(info)) this.#exact = false;
  }
}

/** @param why a sentence's end, such as NO_LINKS */
export function linksHidden(root: string, why: string): ConfigurationError {
  return new ConfigurationError(
    `The file system at ${root} ${why}: run this on the machine that has the disk. ` +
      "(`storage manifest`, `compare` and `sync --from` read the bytes instead)",
  );
}

/**
 * For whatever decides by links which object a file belongs to: on a mount that hides them, each would look like an
 * orphan. On any other the first public file suffices.
 *
 * @throws {ConfigurationError} links cannot be seen here
 */
export async function requireVisibleLinks(
  tree: GuardedTree,
  prefixSize: number,
  signal: AbortSignal,
): Promise<void> {
  const view = new LinkView(tree);
  const yielder = new EventLoopYielder(signal);
  for (const { info } of walkPublic(tree, prefixSize, () => {})) {
    view.file(info);
    if (view.linked) break;
    const pause = yielder.tick();
    if (pause) await pause;
  }
  for (const { info } of view.linked ? [] : walkObjects(tree, () => {})) {
    view.object(info);
    if (view.linked) break;
    const pause = yielder.tick();
    if (pause) await pause;
  }
  if (view.hidden !== null) throw linksHidden(tree.root, view.hidden);
}
