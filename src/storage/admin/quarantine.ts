import { basename } from "node:path";
import { parentOf, parseObjectName } from "../layout.ts";
import type { AuditLog } from "./audit_log.ts";
import { type FileId, type GuardedTree, sameFile } from "./guarded_tree.ts";
import type { Owner } from "./ownership.ts";
import { QUARANTINE_DIRECTORY } from "../places.ts";

/**
 * Gives a file a further name in `.omoide/quarantine`, where nothing looks for it and nothing removes it, so
 * that its old name can be taken. The bytes stay, also of what is corrupt: an administrator may want them.
 *
 * @param path relative to the root
 * @param expected which file it must be
 * @returns the new name, relative to the root
 */
export function quarantine(
  tree: GuardedTree,
  path: string,
  owner: Owner,
  expected: FileId = tree.requireFile(path),
): string {
  tree.makeDirectory(QUARANTINE_DIRECTORY, 0o700);
  tree.settle(QUARANTINE_DIRECTORY, owner, 0o700);
  tree.sync(parentOf(QUARANTINE_DIRECTORY));
  const time = new Date().toISOString().replaceAll(/[:.]/g, "-");
  const quarantined = `${QUARANTINE_DIRECTORY}/${time}-${crypto.randomUUID().slice(0, 8)}-${
    basename(path)
  }`;
  tree.link(path, quarantined, expected);
  tree.sync(QUARANTINE_DIRECTORY);
  return quarantined;
}

/** Removes one name of a file that has another, and makes that durable. Refuses to remove the last. */
export function dropName(tree: GuardedTree, path: string): void {
  const found = tree.requireFile(path);
  if ((found.nlink ?? 0) < 2) {
    throw new Error(`${path} changed underneath: it is not the second name of a file any more`);
  }
  tree.remove(path, found);
  tree.sync(parentOf(path));
}

/**
 * Puts another file under a public name in one step, so that readers see the old one or the new one.
 *
 * @param expected the file that has the name now; anything else has changed underneath
 */
export function replaceName(tree: GuardedTree, path: string, by: string, expected: FileId): void {
  const draft = `${QUARANTINE_DIRECTORY}/draft-${crypto.randomUUID()}`;
  const made = tree.requireFile(by);
  tree.link(by, draft, made);
  try {
    tree.replace(draft, path, expected);
  } catch (error) {
    tree.remove(draft, made);
    throw error;
  }
  tree.sync(parentOf(path));
}

/**
 * Frees a public name and its object's. What had them is in the quarantine, and in the log, before they are
 * taken from it. Nothing to do where nothing has it.
 *
 * @param sha256 what the object's name says
 */
export function clearName(
  tree: GuardedTree,
  path: string,
  sha256: string,
  owner: Owner,
  auditLog: Pick<AuditLog, "write">,
): void {
  if (tree.look(path) === null) return;
  const found = tree.requireFile(path);
  const quarantined = quarantine(tree, path, owner, found);
  auditLog.write("redeliver", { publicPath: path, quarantined });
  dropName(tree, path);
  const directory = tree.objects.directoryOf(sha256);
  for (const { name, info } of tree.list(directory)) {
    const isObject = parseObjectName(name)?.sha256 === sha256;
    if (isObject && sameFile(info, found)) dropName(tree, `${directory}/${name}`);
  }
}
