import { closeSync, writeSync } from "node:fs";
import { createHash } from "node:crypto";
import { basename } from "node:path";
import {
  OBJECT_MODE,
  objectName,
  parentOf,
  parseObjectName,
  PRIVATE_DIRECTORY,
  PRIVATE_DIRECTORY_MODE,
  PUBLIC_DIRECTORY_MODE,
} from "../layout.ts";
import type { AuditLog } from "./audit_log.ts";
import type { VerifyFinding } from "./findings.ts";
import type { FileId, GuardedTree } from "./guarded_tree.ts";
import type { Owner } from "./ownership.ts";
import { dropName, quarantine, replaceName } from "./quarantine.ts";
import { type Pieces, readPieces } from "./read_object.ts";
import { hashOf, type Source } from "./source.ts";

export interface Repair {
  readonly tree: GuardedTree;
  /** The storage with the good copies. */
  readonly good: Source;
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
 * Stopped anywhere and run again, it starts over; what is left over is swept.
 *
 * @throws {Error} no good copy, or the file changed underneath: nothing was changed
 */
export async function repairObject(
  finding: VerifyFinding,
  repair: Repair,
): Promise<{ readonly quarantined: string }> {
  const { tree, good, owner, auditLog } = repair;
  const known = parseObjectName(basename(finding.path));
  if (known === null) throw new Error(`${finding.path} is not an object`);
  const { sha256, mediaId } = known;
  const old = tree.requireFile(finding.path);
  if (finding.publicPath === undefined) {
    // No reader has it: an earlier repair stopped before its last step, or the public name is gone.
    const quarantined = quarantine(tree, finding.path, owner, old);
    auditLog.write("repair", { object: finding.path, quarantined });
    dropName(tree, finding.path);
    return { quarantined };
  }
  const source = good.readGood(sha256, finding.publicPath);
  const made = await makeObject(tree, { sha256, id: mediaId }, source, owner);
  const quarantined = quarantine(tree, finding.path, owner, old);
  auditLog.write("repair", {
    object: finding.path,
    quarantined,
    made,
    publicPath: finding.publicPath,
  });
  replaceName(tree, finding.publicPath, made, old);
  dropName(tree, finding.path);
  return { quarantined };
}

/**
 * Repairs a public file that is a link to no object, where the good storage knows its media: bytes that are
 * right become the object, others are quarantined and replaced.
 */
export async function repairUnvouched(
  path: string,
  object: string,
  repair: Repair,
): Promise<string> {
  const { tree, good, owner, auditLog } = repair;
  const known = parseObjectName(object);
  if (known === null) throw new Error(`${object} is not an object`);
  const media = { sha256: known.sha256, id: known.mediaId };
  const found = tree.requireFile(path);
  if (hashOf(readPieces(tree, path)) === media.sha256) {
    tree.settle(path, owner, OBJECT_MODE, found);
    const name = linkObject(tree, media, path, found);
    auditLog.write("repair", { publicPath: path, made: name });
    return name;
  }
  const made = await makeObject(tree, media, good.readGood(media.sha256, path), owner);
  const quarantined = quarantine(tree, path, owner, found);
  auditLog.write("repair", { publicPath: path, quarantined, made });
  replaceName(tree, path, made, found);
  return made;
}

/** Gives a file or directory of the tree the mode and owner that the worker gives it. */
export function repairOrder(path: string, { tree, owner }: Repair): void {
  const mode = parseObjectName(basename(path)) !== null
    ? OBJECT_MODE
    : path.startsWith(PRIVATE_DIRECTORY)
    ? PRIVATE_DIRECTORY_MODE
    : PUBLIC_DIRECTORY_MODE;
  tree.settle(path, owner, mode);
}

type ObjectOf = { readonly sha256: string; readonly id: bigint };

/** The first name of this media's objects that is free. */
function* freeNames(tree: GuardedTree, media: ObjectOf): Generator<string> {
  const directory = tree.objects.directoryOf(media.sha256);
  for (let attempt = 1; attempt < 10_000; attempt++) {
    const path = `${directory}/${objectName(media, attempt)}`;
    if (tree.look(path) === null) yield path;
  }
  throw new Error(`too many objects of media ${media.id}; see \`storage sweep\``);
}

/** Writes a new object of bytes that must have this checksum. Its path, relative to the root. */
async function makeObject(
  tree: GuardedTree,
  media: ObjectOf,
  bytes: Pieces,
  owner: Owner,
): Promise<string> {
  const { path, fd } = createObject(tree, media);
  const hash = createHash("sha256");
  try {
    for await (const piece of bytes) {
      hash.update(piece);
      for (let done = 0; done < piece.length;) done += writeSync(fd, piece, done);
    }
  } finally {
    closeSync(fd);
  }
  tree.settle(path, owner, OBJECT_MODE);
  tree.sync(parentOf(path));
  if (hash.digest("hex") === media.sha256) return path;
  throw new Error(`the good copy of ${media.sha256} changed while it was read`);
}

function createObject(tree: GuardedTree, media: ObjectOf): { path: string; fd: number } {
  for (const path of freeNames(tree, media)) {
    try {
      return { path, fd: tree.create(path, OBJECT_MODE) };
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") continue;
      throw error;
    }
  }
  throw new Error("unreachable");
}

/** Gives a file that has the right bytes its name among the objects. */
export function linkObject(
  tree: GuardedTree,
  media: ObjectOf,
  path: string,
  expected: FileId,
): string {
  for (const object of freeNames(tree, media)) {
    try {
      tree.link(path, object, expected);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) continue;
      throw error;
    }
    tree.sync(parentOf(object));
    return object;
  }
  throw new Error("unreachable");
}
