import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import {
  OBJECT_MODE,
  objectDirectory,
  objectName,
  parseObjectName,
  PRIVATE_DIRECTORY,
  PRIVATE_DIRECTORY_MODE,
  PUBLIC_DIRECTORY_MODE,
} from "../layout.ts";
import { dropName, quarantine, replaceName } from "./quarantine.ts";
import type { Finding } from "./findings.ts";
import { type Owner, settle, syncDirectory } from "./ownership.ts";
import { readPieces } from "./read_object.ts";
import type { AuditLog } from "./audit_log.ts";

export interface Repair {
  readonly root: string;
  /** The root with the good copies. */
  readonly good: string;
  readonly owner: Owner;
  readonly auditLog: Pick<AuditLog, "write">;
}

/**
 * Replaces one corrupt or unreadable object by a good copy. The order leaves good bytes under the public
 * name, or the old ones, at every moment, and drops nothing:
 *
 * 1. the good copy becomes a new object beside the corrupt one, hashed on its way and fsynced
 * 2. the corrupt object gets a further name in `.omoide/quarantine`
 * 3. the public name passes to the new object, by rename
 * 4. the corrupt object loses its name among the objects
 *
 * Stopped anywhere and run again, it begins anew; what is left over is swept.
 *
 * @throws {Error} no good copy, or the file changed underneath: nothing was changed
 */
export function repairObject(finding: Finding, repair: Repair): { readonly quarantined: string } {
  const { root, owner, auditLog } = repair;
  const known = parseObjectName(basename(finding.path));
  if (known === null) throw new Error(`${finding.path} is not an object`);
  const { sha256, mediaId } = known;
  const old = Deno.lstatSync(`${root}/${finding.path}`);
  if (finding.publicPath === undefined) {
    // No reader has it: an earlier repair stopped before its last step, or the public name is gone.
    const quarantined = quarantine(root, finding.path, owner);
    auditLog.write("repair", { object: finding.path, quarantined });
    dropName(root, finding.path);
    return { quarantined };
  }
  const source = findGood(repair.good, sha256, finding.publicPath);
  const made = makeObject(root, { sha256, id: mediaId }, source, owner);
  const quarantined = quarantine(root, finding.path, owner);
  auditLog.write("repair", {
    object: finding.path,
    quarantined,
    by: made,
    publicPath: finding.publicPath,
  });
  replaceName(root, finding.publicPath, made, old.ino);
  dropName(root, finding.path);
  return { quarantined };
}

/**
 * Mends a public file that is a link to no object, where the good storage knows its media: bytes that are
 * right become the object, others are quarantined and replaced.
 */
export function repairUnvouched(path: string, object: string, repair: Repair): string {
  const { root, owner, auditLog } = repair;
  const known = parseObjectName(object);
  if (known === null) throw new Error(`${object} is not an object`);
  const media = { sha256: known.sha256, id: known.mediaId };
  const found = Deno.lstatSync(`${root}/${path}`);
  if (!found.isFile) throw new Error(`${path} is not a regular file; move it away`);
  if (hashOf(`${root}/${path}`) === media.sha256) {
    settle(`${root}/${path}`, owner, OBJECT_MODE);
    const name = linkObject(root, media, path);
    auditLog.write("repair", { publicPath: path, by: name });
    return name;
  }
  const made = makeObject(root, media, findGood(repair.good, media.sha256, path), owner);
  const quarantined = quarantine(root, path, owner);
  auditLog.write("repair", { publicPath: path, quarantined, by: made });
  replaceName(root, path, made, found.ino);
  return made;
}

/** Gives a file or directory of the tree the mode and owner that the worker gives it. */
export function repairOrder(path: string, { root, owner }: Repair): void {
  const mode = parseObjectName(basename(path)) !== null
    ? OBJECT_MODE
    : path.startsWith(PRIVATE_DIRECTORY)
    ? PRIVATE_DIRECTORY_MODE
    : PUBLIC_DIRECTORY_MODE;
  settle(`${root}/${path}`, owner, mode);
}

/** Any object of the good storage with these bytes, or its file of the same name. Hashed when copied. */
function findGood(good: string, sha256: string, publicPath: string | undefined): string {
  const directory = `${good}/${objectDirectory(sha256)}`;
  for (const { name } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (parseObjectName(name)?.sha256 === sha256 && isIntact(path, sha256)) return path;
  }
  const path = `${good}/${publicPath}`;
  if (publicPath !== undefined && isIntact(path, sha256)) return path;
  throw new Error(`there is no good copy of ${sha256} in ${good}`);
}

function isIntact(path: string, sha256: string): boolean {
  try {
    return hashOf(path) === sha256;
  } catch {
    return false;
  }
}

function hashOf(path: string): string {
  const hash = createHash("sha256");
  for (const piece of readPieces(path)) hash.update(piece);
  return hash.digest("hex");
}

type ObjectOf = { readonly sha256: string; readonly id: bigint };

/** The first name of this media's objects that is free. */
function* freeNames(root: string, media: ObjectOf): Generator<string> {
  const directory = objectDirectory(media.sha256);
  for (let attempt = 1; attempt < 10_000; attempt++) {
    const path = `${directory}/${objectName(media, attempt)}`;
    try {
      Deno.lstatSync(`${root}/${path}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      yield path;
    }
  }
  throw new Error(`too many objects of media ${media.id}; see \`storage sweep\``);
}

/** Writes a new object from a file that must have these bytes. Its path, relative to the root. */
function makeObject(root: string, media: ObjectOf, source: string, owner: Owner): string {
  for (const path of freeNames(root, media)) {
    let fd: number;
    try {
      fd = openSync(`${root}/${path}`, "wx", OBJECT_MODE);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") continue;
      throw error;
    }
    const hash = createHash("sha256");
    try {
      for (const piece of readPieces(source)) {
        hash.update(piece);
        for (let done = 0; done < piece.length;) done += writeSync(fd, piece, done);
      }
    } finally {
      closeSync(fd);
    }
    settle(`${root}/${path}`, owner, OBJECT_MODE);
    syncDirectory(dirname(`${root}/${path}`));
    if (hash.digest("hex") === media.sha256) return path;
    throw new Error(`${source} changed while it was read`);
  }
  throw new Error("unreachable");
}

/** Gives a file that has the right bytes its name among the objects. */
export function linkObject(root: string, media: ObjectOf, path: string): string {
  for (const object of freeNames(root, media)) {
    try {
      Deno.linkSync(`${root}/${path}`, `${root}/${object}`);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) continue;
      throw error;
    }
    syncDirectory(dirname(`${root}/${object}`));
    return object;
  }
  throw new Error("unreachable");
}
