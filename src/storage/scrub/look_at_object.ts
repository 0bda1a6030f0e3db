import { createHash } from "node:crypto";
import type { Finding, FindingKind } from "../../finding.ts";
import { parseObjectName } from "../layout.ts";
import {
  isUnspeakable,
  type ReadOnlyTree,
  UnreadableError,
  UNSPEAKABLE,
} from "./read_only_tree.ts";

/** What a deep look at one object found, and how many bytes it read. */
export interface ObjectLook {
  readonly bytes: number;
  readonly finding: Finding | null;
}

/**
 * Reads an object from end to end and compares its bytes with its name. One without a public name is not
 * read: a worker may be writing it just now, or died while it did (`storage sweep`); that a media's name is
 * gone is found by the shallow look.
 *
 * @param onPiece called after each piece, with its bytes and how long reading it took: here the event loop
 *   gets its turn, and the pace is kept
 * @param stop ends it between two pieces
 * @returns null if it was stopped before the object's end
 */
export async function lookAtObject(
  tree: ReadOnlyTree,
  path: string,
  buffer: Uint8Array,
  onPiece: (bytes: number, tookMs: number) => Promise<void> | null,
  stop: AbortSignal,
): Promise<ObjectLook | null> {
  let bytes = 0;
  const finding = (kind: FindingKind, detail: string) => ({
    bytes,
    finding: { kind, path, detail, mediaId: null },
  });
  const name = parseObjectName(path.slice(path.lastIndexOf("/") + 1));
  try {
    const info = tree.look(path);
    if (info === null) {
      return isUnspeakable(path) ? finding("unexpected", UNSPEAKABLE) : { bytes, finding: null };
    }
    if (name === null || !info.isFile) {
      return finding("unexpected", "is no object of this directory; see who made it");
    }
    if (info.nlink === 1) return { bytes, finding: null };
    const hash = createHash("sha256");
    let began = performance.now();
    for (const piece of tree.read(path, info, buffer)) {
      const tookMs = performance.now() - began;
      hash.update(piece);
      bytes += piece.length;
      const pause = onPiece(piece.length, tookMs);
      if (pause !== null) await pause;
      if (stop.aborted && bytes < info.size) return null;
      began = performance.now();
    }
    const sha256 = hash.digest("hex");
    if (sha256 === name.sha256) return { bytes, finding: null };
    return finding(
      "corrupt",
      `has ${bytes} bytes with the checksum ${sha256}; ` +
        "`storage verify`, then `storage repair ROOT --from` another storage",
    );
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    return finding("unreadable", `${error.message}; see dmesg, then \`storage repair\``);
  }
}
