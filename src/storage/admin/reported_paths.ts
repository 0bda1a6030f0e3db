import { isMediaType } from "../../media.ts";
import { ObjectLayout, parseObjectName, parsePublicPath } from "../layout.ts";
import type { StorageIdentity } from "../storage.ts";
import type { VerifyFinding } from "./findings.ts";

/**
 * Whether `verify` could have reported such a path for such a finding. A report comes from a file that
 * anybody may have written, and `repair` acts on it.
 */
export function couldBeReported(
  finding: VerifyFinding,
  { format, prefixSize }: Pick<StorageIdentity, "format" | "prefixSize">,
): boolean {
  const layout = ObjectLayout.of(format);
  const { kind, path, publicPath } = finding;
  const isPublic = (path: string) => parsePublicPath(path, prefixSize) !== null;
  if (publicPath !== undefined && !isPublic(publicPath)) return false;
  switch (kind) {
    case "corrupt":
    case "unreadable":
    case "unlinked":
    case "orphan":
    case "link":
      return isObject(path, layout);
    case "unvouched":
    case "misnamed":
      return isPublic(path);
    case "mode":
    case "owner":
      return isObject(path, layout) || isDirectory(path, layout);
    // Only ever shown.
    case "unexpected":
      return isPlain(path);
  }
}

function isObject(path: string, layout: ObjectLayout): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const known = parseObjectName(name);
  return known !== null && path === `${layout.directoryOf(known.sha256)}/${name}`;
}

/** One of the skeleton, or a media type's with up to two below it, whatever their names. */
function isDirectory(path: string, layout: ObjectLayout): boolean {
  const parts = path.split("/");
  return layout.skeleton.some((each) => each.path === path) ||
    isPlain(path) && isMediaType(parts[0] ?? "") && parts.length <= 3;
}

function isPlain(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
