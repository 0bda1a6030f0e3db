import { createHash } from "node:crypto";
import { messageOf } from "../../errors.ts";
import { readPieces } from "./read_object.ts";

/** What a receipt claims of a file. */
export interface Claimed {
  readonly path: string;
  readonly sha256: string;
}

/** Reads a public file against its receipt; says what is wrong, null where it holds. */
export function recheck(root: string, { path, sha256 }: Claimed): string | null {
  const hash = createHash("sha256");
  try {
    for (const piece of readPieces(`${root}/${path}`)) hash.update(piece);
  } catch (error) {
    return messageOf(error);
  }
  const found = hash.digest("hex");
  return found === sha256 ? null : `has the checksum ${found}`;
}
