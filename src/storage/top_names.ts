import { basename } from "node:path";
import { MEDIA_TYPES } from "../media.ts";
import {
  IDENTITY_PATH,
  type ObjectLayout,
  OBJECTS_DIRECTORY,
  parseTimelineName,
  PRIVATE_DIRECTORY,
  PROBE_DIRECTORY,
} from "./layout.ts";
import { AUDIT_LOG_PATH, LEGACY_QUARANTINE_DIRECTORY, QUARANTINE_DIRECTORY } from "./places.ts";

/** Directories in which every name is known: anything else is not of a storage. */
export const TOP_DIRECTORIES: readonly string[] = ["", PRIVATE_DIRECTORY, OBJECTS_DIRECTORY];

const TOP_NAMES: Readonly<Record<string, readonly string[]>> = {
  // The last is the file system's own.
  "": [PRIVATE_DIRECTORY, ...MEDIA_TYPES, "lost+found"],
  [PRIVATE_DIRECTORY]: [
    IDENTITY_PATH,
    OBJECTS_DIRECTORY,
    PROBE_DIRECTORY,
    QUARANTINE_DIRECTORY,
    LEGACY_QUARANTINE_DIRECTORY,
    AUDIT_LOG_PATH,
  ].map((path) => basename(path)),
};

/** Whether a name in one of TOP_DIRECTORIES is one that a storage has. */
export function belongsToStorage(
  objects: ObjectLayout,
  directory: string,
  name: string,
): boolean {
  if (directory === OBJECTS_DIRECTORY) return objects.isDirectory(`${directory}/${name}`);
  if (directory === PRIVATE_DIRECTORY && parseTimelineName(name) !== null) return true;
  return TOP_NAMES[directory]?.includes(name) ?? false;
}
