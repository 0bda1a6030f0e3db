import { basename, join } from "node:path";
import { messageOf } from "../../errors.ts";
import { MEDIA_TYPES } from "../../media.ts";
import {
  type ObjectName,
  OBJECTS_DIRECTORY,
  parseObjectName,
  parsePublicPath,
  type PublicPath,
} from "../layout.ts";
import { type GuardedTree, kindOf, type Listed } from "./guarded_tree.ts";
import { belongsToStorage, TOP_DIRECTORIES } from "../top_names.ts";

const UNFIT = "is not <media_type>/<owner>/<prefix>/<item>.<ext>";

/** One regular file of a storage, as lstat describes it. Paths are relative to the root. */
export interface Found<Name> {
  readonly path: string;
  readonly name: Name;
  readonly info: Deno.FileInfo;
}

/** When a file's bytes were written: seconds since the epoch, UTC, which is all that some mounts give. */
export function secondsOf(info: Deno.FileInfo): number {
  return Math.floor((info.mtime?.getTime() ?? 0) / 1000);
}

/** Called for whatever does not belong where it is: its path, and a sentence that follows the path. */
export type Strange = (path: string, why: string) => void;

/** The names of a directory in byte order; reported as unexpected if it cannot be read as a directory. */
function* each(tree: GuardedTree, path: string, strange: Strange): Generator<Listed> {
  try {
    yield* tree.each(path);
  } catch (error) {
    strange(path, `cannot be read as a directory: ${messageOf(error)}`);
  }
}

/** Whether a name is a file of this tree. */
function isFile(tree: GuardedTree, path: string, info: Deno.FileInfo, strange: Strange): boolean {
  if (!info.isFile) strange(path, `is ${kindOf(info)}, not a file`);
  else if (!tree.isOnDevice(info)) strange(path, "is on another file system");
  else return true;
  return false;
}

/** Whether a name is a directory of this tree. */
function isDirectory(
  tree: GuardedTree,
  path: string,
  info: Deno.FileInfo,
  strange: Strange,
): boolean {
  if (!info.isDirectory) strange(path, `is ${kindOf(info)}, not a directory`);
  else if (!tree.isOnDevice(info)) strange(path, "is on another file system");
  else return true;
  return false;
}

/** The objects in one of the layout's directories, by name. Holds that directory's names in memory. */
export function* walkObjectDirectory(
  tree: GuardedTree,
  directory: string,
  strange: Strange,
): Generator<Found<ObjectName>> {
  for (const { name: file, info } of each(tree, directory, strange)) {
    const path = `${directory}/${file}`;
    const name = parseObjectName(file);
    if (name === null || directory !== tree.objects.directoryOf(name.sha256)) {
      strange(path, "is not an object of this directory");
    } else if (isFile(tree, path, info, strange)) yield { path, name, info };
  }
}

/** Every object of a storage, in the order of their names. */
export function* walkObjects(tree: GuardedTree, strange: Strange): Generator<Found<ObjectName>> {
  for (const directory of tree.objects.directories) {
    yield* walkObjectDirectory(tree, directory, strange);
  }
}

/**
 * Every public file of a storage in the byte order of their paths, which is also the order of
 * PostgreSQL's collation "C". Holds the names of one directory of each level in memory.
 *
 * @param directories called for each directory on the way, for checks of its mode and owner
 */
export function* walkPublic(
  tree: GuardedTree,
  prefixSize: number,
  strange: Strange,
  directories: (path: string, info: Deno.FileInfo) => void = () => {},
): Generator<Found<PublicPath>> {
  function* inside(path: string): Generator<Listed & { readonly path: string }> {
    for (const found of each(tree, path, strange)) {
      yield { ...found, path: `${path}/${found.name}` };
    }
  }
  const enter = (path: string, info: Deno.FileInfo) => {
    if (!isDirectory(tree, path, info, strange)) return false;
    directories(path, info);
    return true;
  };
  for (const mediaType of MEDIA_TYPES) {
    const top = tree.look(mediaType);
    if (top === null) strange(mediaType, "is missing");
    if (top === null || !enter(mediaType, top)) continue;
    for (const owner of inside(mediaType)) {
      if (!enter(owner.path, owner.info)) continue;
      for (const prefix of inside(owner.path)) {
        if (!enter(prefix.path, prefix.info)) continue;
        for (const { path, info } of inside(prefix.path)) {
          const name = parsePublicPath(path, prefixSize);
          if (name === null) strange(path, UNFIT);
          else if (isFile(tree, path, info, strange)) yield { path, name, info };
        }
      }
    }
  }
}

/** Names at the root, in `.omoide` and in `.omoide/objects` that nobody of this project makes. */
export function unexpectedAtTheTop(tree: GuardedTree, strange: Strange): void {
  for (const directory of TOP_DIRECTORIES) {
    for (const { name } of each(tree, directory, strange)) {
      if (!belongsToStorage(tree.objects, directory, name)) {
        strange(join(directory, name), "is not part of a storage");
      }
    }
  }
  const objects = new Map(
    [...each(tree, OBJECTS_DIRECTORY, () => {})].map(({ name, info }) => [name, info]),
  );
  for (const path of tree.objects.directories) {
    const found = objects.get(basename(path));
    if (found === undefined) strange(path, "is missing");
    else isDirectory(tree, path, found, strange);
  }
}
