import { messageOf } from "../../errors.ts";
import type { GuardedTree } from "./guarded_tree.ts";
import { readPieces } from "./read_object.ts";
import { hashOf } from "./source.ts";

/** What a receipt claims of a file. */
export interface Claimed {
  readonly path: string;
  readonly sha256: string;
}

/** Reads a public file against its receipt; says what is wrong, null where it holds. */
export function recheck(tree: GuardedTree, { path, sha256 }: Claimed): string | null {
  try {
    const found = hashOf(readPieces(tree, path));
    return found === sha256 ? null : `has the checksum ${found}`;
  } catch (error) {
    return messageOf(error);
  }
}
