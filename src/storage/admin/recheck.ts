import { messageOf } from "../../errors.ts";
import { renamedName } from "../../media.ts";
import type { GuardedTree } from "./guarded_tree.ts";
import { readPieces } from "./read_object.ts";
import { hashOf } from "./source.ts";

/** What a receipt claims of a file. */
export interface Claimed {
  readonly ownerUuid: string;
  readonly itemUuid: string;
  readonly mediaType: string;
  readonly ext: string;
  readonly publicName: string;
  readonly sha256: string;
  /** Where the worker says that it is, relative to the root. */
  readonly path: string;
}

/**
 * Whether a receipt's path is one of the two that its media can have: the usual one, or the one with its
 * checksum. Any other is a false word of the worker's, and another's file.
 */
export function isOwnPath(claimed: Claimed, prefixSize: number): boolean {
  const { mediaType, ownerUuid, itemUuid, publicName, path } = claimed;
  const directory = `${mediaType}/${ownerUuid}/${itemUuid.slice(0, prefixSize)}`;
  return [publicName, renamedName(claimed)].some((name) => path === `${directory}/${name}`);
}

/** Reads a public file against its receipt; says what is wrong, null where it holds. */
export function recheck(tree: GuardedTree, claimed: Claimed, prefixSize: number): string | null {
  if (!isOwnPath(claimed, prefixSize)) {
    return "is not a path of this media: its worker acknowledged another's";
  }
  try {
    const found = hashOf(readPieces(tree, claimed.path));
    return found === claimed.sha256 ? null : `has the checksum ${found}`;
  } catch (error) {
    return messageOf(error);
  }
}
