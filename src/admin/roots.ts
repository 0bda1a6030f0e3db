import { ConfigurationError, messageOf, UsageError } from "../errors.ts";
import { readIdentity } from "../storage/identity.ts";
import type { StorageIdentity } from "../storage/storage.ts";

/** A storage on this machine. */
export interface Root {
  /** Absolute, without links. */
  readonly path: string;
  readonly identity: StorageIdentity;
}

/** Opens a storage by its root, which may be given relative or through links. */
export function openRoot(given: string): Root {
  const path = realPath(given);
  return { path, identity: readIdentity(path) };
}

export function realPath(given: string): string {
  try {
    return Deno.realPathSync(given);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new ConfigurationError(`${given} does not exist; mount its disk, or name another root`);
    }
    throw new ConfigurationError(
      `Cannot look at ${given}: ${messageOf(error)}`,
    );
  }
}

/** Refuses two roots that are one storage, or storages that belong to different inboxes. */
export function requireDifferent(a: Root, b: Root): void {
  if (a.identity.uuid === b.identity.uuid) {
    throw new UsageError(
      `${a.path} and ${b.path} are the same storage, ${a.identity.storage}; name two`,
    );
  }
  requireSameInbox(a.identity, b.identity);
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
