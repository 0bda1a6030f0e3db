import { ConfigurationError } from "../errors.ts";
import type { TakenStorage } from "../inbox/worker_calls.ts";
import type { StorageIdentity } from "../storage/storage.ts";

/** What the inbox says of itself to a storage that it knows. */
export type InboxOfStorage = Pick<TakenStorage, "inbox" | "prefixSize">;

/** @throws {ConfigurationError} the inbox is not the one that this storage was made for */
export function requireOwnInbox(found: InboxOfStorage, identity: StorageIdentity): void {
  if (found.inbox === identity.inbox && found.prefixSize === identity.prefixSize) return;
  throw new ConfigurationError(
    `The inbox ${found.inbox} (prefix size ${found.prefixSize}) is not the one that this storage ` +
      `belongs to: ${identity.inbox} (prefix size ${identity.prefixSize}); see --root and --database`,
  );
}
