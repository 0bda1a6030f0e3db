import type { Finding, FindingKind } from "../../finding.ts";
import { MAX_OBJECT_NAMES } from "../layout.ts";
import { type ReadOnlyTree, UnreadableError } from "./read_only_tree.ts";

/** What a receipt says that a storage has. */
export interface ReceiptedFile {
  readonly mediaId: bigint;
  /** Relative to the root. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/**
 * The shallow look at one media: its file is there, a regular one of its size, and another name of one of
 * its objects. No byte is read.
 */
export function lookAtReceipt(tree: ReadOnlyTree, receipt: ReceiptedFile): Finding | null {
  const { path, mediaId, size } = receipt;
  const finding = (kind: FindingKind, detail: string): Finding => ({ kind, path, detail, mediaId });
  try {
    const info = tree.look(path);
    if (info === null) {
      const object = ownObjects(tree, receipt).find((each) => tree.look(each)?.isFile === true);
      return object === undefined
        ? finding(
          "receipt without file",
          "and its object are gone; `storage sync` from another storage",
        )
        : finding(
          "missing",
          `is gone, its object ${object} is there; \`storage sync\` gives it its name`,
        );
    }
    if (!info.isFile) return finding("unexpected", "is not a regular file; see who made it");
    if (info.size !== size) {
      return finding("wrong size", `has ${info.size} bytes, not ${size}; \`storage repair\``);
    }
    if (isNameOf(tree, info, receipt)) return null;
    return finding(
      "unexpected",
      "is another file than the one that was stored; `storage verify`, then `storage repair`",
    );
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    return finding("unreadable", error.message);
  }
}

/** Whether a file is another name of an object of its bytes: mostly the media's own. */
function isNameOf(tree: ReadOnlyTree, info: Deno.FileInfo, receipt: ReceiptedFile): boolean {
  const isSame = (object: string) => {
    const found = tree.look(object);
    return found !== null && found.dev === info.dev && found.ino === info.ino;
  };
  if (ownObjects(tree, receipt).some(isSame)) return true;
  if (info.nlink === 1) return false;
  // The same bytes came before, under another id. Rare, so a directory is listed for it.
  const directory = tree.objects.directoryOf(receipt.sha256);
  const others = (tree.list(directory) ?? []).filter((name) => name.startsWith(receipt.sha256));
  return others.some((name) => isSame(`${directory}/${name}`));
}

function ownObjects(
  { objects }: ReadOnlyTree,
  { mediaId: id, sha256 }: ReceiptedFile,
): string[] {
  return Array.from({ length: MAX_OBJECT_NAMES }, (_, i) => objects.pathOf({ id, sha256 }, i + 1));
}
