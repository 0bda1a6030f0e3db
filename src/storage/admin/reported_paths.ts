import { isMediaType } from "../../media.ts";
import { objectDirectory, parseObjectName, parsePublicPath, SKELETON } from "../layout.ts";
import type { Finding } from "./findings.ts";

/**
 * Whether `verify` could have reported such a path for such a finding. A report comes from a file that
 * anybody may have written, and `repair` acts on it.
 */
export function couldBeReported(finding: Finding, prefixSize: number): boolean {
  const { kind, path, publicPath } = finding;
  const isPublic = (path: string) => parsePublicPath(path, prefixSize) !== null;
  if (publicPath !== undefined && !isPublic(publicPath)) return false;
  switch (kind) {
    case "corrupt":
    case "unreadable":
    case "unlinked":
    case "orphan":
    case "link":
      return isObject(path);
    case "unvouched":
    case "misnamed":
      return isPublic(path);
    case "mode":
    case "owner":
      return isObject(path) || isDirectory(path);
    // Only ever shown.
    case "unexpected":
      return isPlain(path);
  }
}

function isObject(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const known = parseObjectName(name);
  return known !== null && path === `${objectDirectory(known.sha256)}/${name}`;
}

/** One of the skeleton, or a media type's with up to two below it, whatever their names. */
function isDirectory(path: string): boolean {
  const parts = path.split("/");
  return SKELETON.some((each) => each.path === path) ||
    isPlain(path) && isMediaType(parts[0] ?? "") && parts.length <= 3;
}

function isPlain(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
