import { basename, join } from "node:path";
import { messageOf } from "../../errors.ts";
import { MEDIA_TYPES } from "../../media.ts";
import {
  IDENTITY_PATH,
  OBJECT_DIRECTORIES,
  type ObjectName,
  OBJECTS_DIRECTORY,
  parseObjectName,
  parsePublicPath,
  PRIVATE_DIRECTORY,
  PROBE_DIRECTORY,
  type PublicPath,
} from "../layout.ts";
import { AUDIT_LOG_PATH, LEGACY_QUARANTINE_DIRECTORY, QUARANTINE_DIRECTORY } from "./places.ts";

const UNFIT = "is not <media_type>/<owner>/<prefix>/<item>.<ext>";

/** One regular file of a storage, as lstat tells it. Paths are relative to the root. */
export interface Found<Name> {
  readonly path: string;
  readonly name: Name;
  readonly info: Deno.FileInfo;
}

/** Told of whatever has no place where it is: its path, and a sentence that follows the path. */
export type Strange = (path: string, why: string) => void;

/** Names of a directory in byte order; told as strange where it cannot be read. */
function names(root: string, path: string, strange: Strange): string[] {
  try {
    const found: string[] = [];
    for (const entry of Deno.readDirSync(join(root, path))) found.push(entry.name);
    return found.sort();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      strange(path, `cannot be read as a directory: ${messageOf(error)}`);
    }
    return [];
  }
}

function lstat(root: string, path: string, strange: Strange): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(`${root}/${path}`);
  } catch (error) {
    // Gone between the listing and now: nobody but an administrator removes names, and says so.
    strange(path, `cannot be looked at: ${messageOf(error)}`);
    return null;
  }
}

function isDirectory(root: string, path: string, strange: Strange): boolean {
  const info = lstat(root, path, strange);
  if (info === null) return false;
  if (!info.isDirectory) strange(path, `is ${kind(info)}, not a directory`);
  return info.isDirectory;
}

function kind(info: Deno.FileInfo): string {
  if (info.isSymlink) return "a symbolic link";
  if (info.isDirectory) return "a directory";
  if (info.isFile) return "a file";
  return "a special file";
}

/** The objects in one of OBJECT_DIRECTORIES, by name. Holds that directory's names in memory. */
export function* walkObjectDirectory(
  root: string,
  directory: string,
  strange: Strange,
): Generator<Found<ObjectName>> {
  for (const file of names(root, directory, strange)) {
    const path = `${directory}/${file}`;
    const info = lstat(root, path, strange);
    if (info === null) continue;
    const name = parseObjectName(file);
    if (name === null || !directory.endsWith(`/${file.slice(0, 2)}`)) {
      strange(path, "is not an object of this directory");
    } else if (!info.isFile) strange(path, `is ${kind(info)}, not a file`);
    else yield { path, name, info };
  }
}

/** Every object of a storage, in the order of their names. */
export function* walkObjects(root: string, strange: Strange): Generator<Found<ObjectName>> {
  for (const directory of OBJECT_DIRECTORIES) {
    yield* walkObjectDirectory(root, directory, strange);
  }
}

/**
 * Every public file of a storage in the byte order of their paths, which is also the order of
 * PostgreSQL's collation "C". Holds the names of one directory of each level in memory.
 *
 * @param directories told of each directory on the way, for checks of its mode and owner
 */
export function* walkPublic(
  root: string,
  prefixSize: number,
  strange: Strange,
  directories: (path: string, info: Deno.FileInfo) => void = () => {},
): Generator<Found<PublicPath>> {
  function* inside(path: string): Generator<string> {
    for (const name of names(root, path, strange)) yield `${path}/${name}`;
  }
  const enter = (path: string) => {
    const info = lstat(root, path, strange);
    if (info === null) return false;
    if (info.isDirectory) directories(path, info);
    else strange(path, `is ${kind(info)}, not a directory`);
    return info.isDirectory;
  };
  for (const mediaType of MEDIA_TYPES) {
    if (!enter(mediaType)) continue;
    for (const owner of inside(mediaType)) {
      if (!enter(owner)) continue;
      for (const prefix of inside(owner)) {
        if (!enter(prefix)) continue;
        for (const path of inside(prefix)) {
          const info = lstat(root, path, strange);
          if (info === null) continue;
          const name = parsePublicPath(path, prefixSize);
          if (name === null) strange(path, UNFIT);
          else if (!info.isFile) strange(path, `is ${kind(info)}, not a file`);
          else yield { path, name, info };
        }
      }
    }
  }
}

const KNOWN: readonly (readonly [directory: string, names: readonly string[]])[] = [
  ["", [PRIVATE_DIRECTORY, ...MEDIA_TYPES, "lost+found"]],
  [
    PRIVATE_DIRECTORY,
    [
      IDENTITY_PATH,
      OBJECTS_DIRECTORY,
      PROBE_DIRECTORY,
      QUARANTINE_DIRECTORY,
      LEGACY_QUARANTINE_DIRECTORY,
      AUDIT_LOG_PATH,
    ].map((path) => basename(path)),
  ],
  [OBJECTS_DIRECTORY, OBJECT_DIRECTORIES.map((path) => basename(path))],
];

/** Names at the root, in `.omoide` and in `.omoide/objects` that nobody of this project makes. */
export function unexpectedAtTheTop(root: string, strange: Strange): void {
  for (const [directory, known] of KNOWN) {
    for (const name of names(root, directory, strange)) {
      if (!known.includes(name)) strange(join(directory, name), "is not part of a storage");
    }
  }
  for (const directory of OBJECT_DIRECTORIES) isDirectory(root, directory, strange);
}
