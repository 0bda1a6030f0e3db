import { UsageError } from "../errors.ts";
import { readIdentityOf } from "../storage/admin/open_for_admin.ts";
import type { StorageIdentity } from "../storage/storage.ts";

/** A storage on this machine. */
export interface Root {
  /** Absolute, without links. */
  readonly path: string;
  readonly identity: StorageIdentity;
}

/** Opens a storage by its root's absolute path without links. */
export function openRoot(path: string): Root {
  return { path, identity: readIdentityOf(path) };
}

/** Refuses two roots that are one storage, or storages that belong to different inboxes. */
export function requireDifferent(a: Root, b: Root): void {
  requireTwo(a, b);
  requireSameInbox(a.identity, b.identity);
}

/** Refuses two roots that are one storage, or storages of one inbox. */
export function requireTwoInboxes(a: Root, b: Root): void {
  requireTwo(a, b);
  if (a.identity.inbox !== b.identity.inbox) return;
  throw new UsageError(
    `${a.identity.storage} and ${b.identity.storage} belong to the same inbox, ${a.identity.inbox}; ` +
      "leave --to-other-inbox out",
  );
}

function requireTwo(a: Root, b: Root): void {
  if (a.identity.uuid !== b.identity.uuid) return;
  throw new UsageError(
    `${a.path} and ${b.path} are the same storage, ${a.identity.storage}; name two`,
  );
}

export function requireSameInbox(
  a: Pick<StorageIdentity, "storage" | "inbox">,
  b: Pick<StorageIdentity, "storage" | "inbox">,
): void {
  if (a.inbox === b.inbox) return;
  throw new UsageError(
    `${a.storage} and ${b.storage} belong to different inboxes (${a.inbox}, ${b.inbox})`,
  );
}
