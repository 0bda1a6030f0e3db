import { ConfigurationError } from "../errors.ts";
import type { TakenStorage } from "../inbox/worker_calls.ts";
import type { StorageIdentity } from "../storage/storage.ts";

/** What the inbox says of itself where it knows a storage. */
export type InboxOfStorage = Pick<TakenStorage, "inbox" | "prefixSize">;

/** @throws {ConfigurationError} the inbox is not the one that this storage was made for */
export function requireOwnInbox(told: InboxOfStorage, identity: StorageIdentity): void {
  if (told.inbox === identity.inbox && told.prefixSize === identity.prefixSize) return;
  throw new ConfigurationError(
    `The inbox ${told.inbox} (prefix size ${told.prefixSize}) is not the one that this storage ` +
      `belongs to: ${identity.inbox} (prefix size ${identity.prefixSize}); see --root and --database`,
  );
}
