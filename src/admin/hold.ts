import { StorageHeldError } from "../errors.ts";
import type { AdminInbox } from "../inbox/admin/inbox.ts";
import { holdInInbox } from "../inbox/admin/trust.ts";
import { holdStorage } from "../storage/admin/open_for_admin.ts";
import { requireRegistered } from "./rebuild.ts";
import type { Root } from "./roots.ts";

/** Whose storage it is, held so that no worker can begin until this is disposed of. */
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
  if (dry) {
    const storageId = inbox === null ? null : (await requireRegistered(inbox, root)).id;
    return { storageId, [Symbol.dispose]: () => {} };
  }
  const lock = await holdStorage(root.path);
  try {
    const storageId = inbox === null ? null : (await requireRegistered(inbox, root)).id;
    if (inbox !== null && storageId !== null && !(await holdInInbox(inbox, storageId))) {
      throw new StorageHeldError(
        `A worker holds the storage ${root.identity.storage}: stop it, and run this again`,
      );
    }
    return { storageId, [Symbol.dispose]: () => lock[Symbol.dispose]() };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}
