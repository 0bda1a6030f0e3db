import type { Finding } from "../../finding.ts";
import { MEDIA_TYPES } from "../../media.ts";
import { parsePublicPath } from "../layout.ts";
import { type ReadOnlyTree, UnreadableError } from "./read_only_tree.ts";

/** A file's public path, with the owner and item that it names. */
export interface PublicFile {
  readonly path: string;
  readonly ownerUuid: string;
  readonly itemUuid: string;
}

/** The names in one directory of the public tree. */
export interface NamesLook {
  readonly files: readonly PublicFile[];
  readonly findings: readonly Finding[];
}

/** What is younger may still be on its way to its receipt. Minutes, since a disk may be slow. */
const YOUNG_MS = 10 * 60_000;

/** Every owner's directory, as `content/<owner>`, sorted; those after `after` only. */
export function* ownerDirectories(
  tree: ReadOnlyTree,
  after: string,
): Generator<{ readonly path: string; readonly finding: Finding | null }> {
  for (const type of [...MEDIA_TYPES].sort()) {
    const names = tree.list(type);
    if (names === null) {
      yield { path: type, finding: unexpected(type, "is missing; `storage init` makes it again") };
      continue;
    }
    for (const name of names) {
      const path = `${type}/${name}`;
      if (path > after) yield { path, finding: null };
    }
  }
}

/** Looks at the names below one owner's directory, directory by directory. */
export function* lookAtNames(
  tree: ReadOnlyTree,
  owner: string,
  prefixSize: number,
): Generator<NamesLook> {
  const before = Date.now() - YOUNG_MS;
  for (const prefix of namesIn(tree, owner)) {
    if ("finding" in prefix) {
      yield { files: [], findings: [prefix.finding] };
      continue;
    }
    const files: PublicFile[] = [], findings: Finding[] = [];
    for (const found of namesIn(tree, prefix.path)) {
      if ("finding" in found) findings.push(found.finding);
      else {
        const { path, info } = found;
        const name = parsePublicPath(path, prefixSize);
        if (name === null || !info.isFile) {
          findings.push(unexpected(path, "is no file of a media; see who made it"));
        } else if ((info.ctime ?? info.mtime ?? new Date()).getTime() < before) {
          files.push({ path, ownerUuid: name.ownerUuid, itemUuid: name.itemUuid });
        }
      }
    }
    yield { files, findings };
  }
}

type Named =
  | { readonly path: string; readonly info: Deno.FileInfo }
  | { readonly finding: Finding };

function* namesIn(tree: ReadOnlyTree, directory: string): Generator<Named> {
  let names: string[];
  try {
    names = tree.list(directory) ?? [];
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    yield { finding: unexpected(directory, error.message) };
    return;
  }
  for (const name of names) {
    const path = `${directory}/${name}`;
    const info = tree.look(path);
    // Gone between the listing and now.
    if (info !== null) yield { path, info };
  }
}

function unexpected(path: string, detail: string): Finding {
  return { kind: "unexpected", path, detail, mediaId: null };
}
