import { StorageHeldError } from "../errors.ts";
import type { AdminInbox } from "../inbox/admin/inbox.ts";
import { holdInInbox } from "../inbox/admin/storages.ts";
import { holdStorage } from "../storage/admin/open_for_admin.ts";
import { requireRegistered } from "./registered.ts";
import type { Root } from "./roots.ts";

/** A storage that is held, so that no worker can begin until this is disposed of. */
export interface Held extends Disposable {
  /** The storage's id in the inbox; null where no inbox was given. */
  readonly storageId: number | null;
}

/**
 * Takes the storage's lock on its disk and, where an inbox is given, the one in the database too: a worker
 * on another machine that has the disk by network sees only that one.
 *
 * @param dry nothing will be changed, so nothing is held
 * @throws {StorageHeldError} a worker holds either
 */
export async function hold(root: Root, inbox: AdminInbox | null, dry: boolean): Promise<Held> {
  const lock = dry ? null : await holdStorage(root.path);
  const free = () => lock?.[Symbol.dispose]();
  try {
    const storageId = inbox === null ? null : (await requireRegistered(inbox, root)).id;
    if (!dry && inbox !== null && storageId !== null && !(await holdInInbox(inbox, storageId))) {
      throw new StorageHeldError(
        `A worker holds the storage ${root.identity.storage}: stop it, and run this again`,
      );
    }
    return { storageId, [Symbol.dispose]: free };
  } catch (error) {
    free();
    throw error;
  }
}
