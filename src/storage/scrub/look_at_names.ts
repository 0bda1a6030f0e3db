import type { Finding } from "../../finding.ts";
import { MEDIA_TYPES } from "../../media.ts";
import { parsePublicPath } from "../layout.ts";
import { belongsToStorage, TOP_DIRECTORIES } from "../top_names.ts";
import {
  isUnspeakable,
  type ReadOnlyTree,
  UnreadableError,
  UNSPEAKABLE,
} from "./read_only_tree.ts";

/** A file's public path, with the owner and item that it names. */
export interface PublicFile {
  readonly path: string;
  readonly ownerUuid: string;
  readonly itemUuid: string;
}

/** The names in one directory of the public tree. */
export interface NamesLook {
  /** That directory, or what else is in its place. */
  readonly path: string;
  /** What has a media's name, even if it is no file: whether it belongs there the receipts say. */
  readonly files: readonly PublicFile[];
  readonly findings: readonly Finding[];
}

/** What is younger may still be on its way to its receipt. Minutes, since a disk may be slow. */
const YOUNG_MS = 10 * 60_000;

/** What is in the root, in `.omoide` and in `.omoide/objects` and belongs to no storage. */
export function lookAtTop(tree: ReadOnlyTree): Finding[] {
  return TOP_DIRECTORIES.flatMap((directory) =>
    listed(tree, directory).flatMap((each) => {
      if (typeof each !== "string") return [each];
      const path = directory === "" ? each : `${directory}/${each}`;
      return belongsToStorage(tree.objects, directory, each)
        ? []
        : [unexpected(path, "is not part of a storage; see who made it")];
    })
  );
}

/**
 * Every owner's directory, as `content/<owner>`, sorted, or what is wrong with `content`.
 *
 * @param after such a path, after which to begin, or that of a directory in it, with whose owner to begin
 */
export function* ownerDirectories(
  tree: ReadOnlyTree,
  after: string,
): Generator<{ readonly path: string; readonly finding: Finding | null }> {
  // Name by name: as one text, `a!` would come before `a/b`.
  const [type = "", owner, inside] = after.split("/");
  const last = owner === undefined ? type : `${type}/${owner}`;
  for (const mediaType of [...MEDIA_TYPES].sort()) {
    for (const each of listed(tree, mediaType, "is missing; `storage init` makes it again")) {
      const [path, finding] = typeof each === "string"
        ? [`${mediaType}/${each}`, null]
        : [mediaType, each];
      if (path > last || path === last && inside !== undefined) yield { path, finding };
    }
  }
}

/**
 * Looks at the names below one owner's directory, directory by directory.
 *
 * @param after the path of one of these, after which to begin; any other path for all of them
 */
export function* lookAtNames(
  tree: ReadOnlyTree,
  owner: string,
  prefixSize: number,
  after: string,
): Generator<NamesLook> {
  const before = Date.now() - YOUNG_MS;
  const isBehind = (path: string) => after.startsWith(`${owner}/`) && path <= after;
  for (const prefix of namesIn(tree, owner)) {
    if ("finding" in prefix) {
      const { finding } = prefix;
      if (!isBehind(finding.path)) yield { path: finding.path, files: [], findings: [finding] };
      continue;
    }
    if (isBehind(prefix.path)) continue;
    const files: PublicFile[] = [], findings: Finding[] = [];
    for (const found of namesIn(tree, prefix.path)) {
      if ("finding" in found) findings.push(found.finding);
      else {
        const { path, info } = found;
        const name = parsePublicPath(path, prefixSize);
        if (name === null) {
          findings.push(unexpected(path, "is no file of a media; see who made it"));
        } else if (!info.isFile || (info.ctime ?? info.mtime ?? new Date()).getTime() < before) {
          files.push({ path, ownerUuid: name.ownerUuid, itemUuid: name.itemUuid });
        }
      }
    }
    yield { path: prefix.path, files, findings };
  }
}

type Named =
  | { readonly path: string; readonly info: Deno.FileInfo }
  | { readonly finding: Finding };

function* namesIn(tree: ReadOnlyTree, directory: string): Generator<Named> {
  for (const each of listed(tree, directory)) {
    if (typeof each !== "string") {
      yield { finding: each };
      continue;
    }
    const path = `${directory}/${each}`;
    const info = tree.look(path);
    if (info !== null) yield { path, info };
    // Otherwise it has gone between the listing and now.
    else if (isUnspeakable(each)) yield { finding: unexpected(path, UNSPEAKABLE) };
  }
}

/**
 * The names in a directory, or what is wrong with it.
 *
 * @param missing what to say if there is none; nothing unless given
 */
function listed(tree: ReadOnlyTree, directory: string, missing?: string): (string | Finding)[] {
  try {
    const names = tree.list(directory);
    if (names !== null) return names;
    return missing === undefined ? [] : [unexpected(directory, missing)];
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    return [unexpected(directory, error.message)];
  }
}

function unexpected(path: string, detail: string): Finding {
  return { kind: "unexpected", path, detail, mediaId: null };
}
