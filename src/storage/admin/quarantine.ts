import { lstatSync, renameSync, unlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import { objectDirectory } from "../layout.ts";
import { QUARANTINE_DIRECTORY } from "./places.ts";
import { type Owner, settle, syncDirectory } from "./ownership.ts";

/**
 * Gives a file a further name in `.omoide/quarantine`, where nothing looks for it and nothing removes it, so
 * that its old name can be taken. The bytes stay, also of what is corrupt: somebody may want them.
 *
 * @param path relative to the root
 * @returns the new name, relative to the root
 */
export function quarantine(root: string, path: string, owner: Owner): string {
  const directory = `${root}/${QUARANTINE_DIRECTORY}`;
  try {
    Deno.mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  settle(directory, owner, 0o700);
  syncDirectory(dirname(directory));
  const time = new Date().toISOString().replaceAll(/[:.]/g, "-");
  const quarantined = `${QUARANTINE_DIRECTORY}/${time}-${crypto.randomUUID().slice(0, 8)}-${
    basename(path)
  }`;
  Deno.linkSync(`${root}/${path}`, `${root}/${quarantined}`);
  syncDirectory(directory);
  return quarantined;
}

/** Removes one name of a file that has another, and makes that durable. Refuses to remove the last. */
export function dropName(root: string, path: string): void {
  const found = lstatSync(`${root}/${path}`);
  if (!found.isFile() || found.nlink < 2) {
    throw new Error(`${path} changed underneath: it is not the second name of a file any more`);
  }
  unlinkSync(`${root}/${path}`);
  syncDirectory(dirname(`${root}/${path}`));
}

/**
 * Puts another file under a public name in one step, so that readers see the old one or the new one.
 *
 * @param expected the inode that has the name now; anything else has changed underneath
 */
export function replaceName(root: string, path: string, by: string, expected: number | null): void {
  const draft = `${root}/${QUARANTINE_DIRECTORY}/draft-${crypto.randomUUID()}`;
  Deno.linkSync(`${root}/${by}`, draft);
  try {
    if (expected !== null && lstatSync(`${root}/${path}`).ino !== expected) {
      throw new Error(`${path} changed underneath: it is not the file that was found corrupt`);
    }
    renameSync(draft, `${root}/${path}`);
  } catch (error) {
    unlinkSync(draft);
    throw error;
  }
  syncDirectory(dirname(`${root}/${path}`));
}

/**
 * Frees a public name and its object's, keeping what had them aside. Nothing to do where nothing has it.
 *
 * @param sha256 what the object's name says
 */
export function clearName(root: string, path: string, sha256: string, owner: Owner): void {
  const found = lstatSync(`${root}/${path}`, { throwIfNoEntry: false });
  if (found === undefined) return;
  quarantine(root, path, owner);
  dropName(root, path);
  const directory = objectDirectory(sha256);
  for (const { name } of Deno.readDirSync(`${root}/${directory}`)) {
    const object = `${directory}/${name}`;
    if (name.startsWith(sha256) && lstatSync(`${root}/${object}`).ino === found.ino) {
      dropName(root, object);
    }
  }
}
