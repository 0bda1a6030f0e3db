import { ConfigurationError } from "../errors.ts";
import type { AdminInbox } from "../inbox/admin/inbox.ts";
import { findStorage, type RegisteredStorage } from "../inbox/admin/storages.ts";
import type { Root } from "./roots.ts";

/** The registration of a root's storage. @throws {ConfigurationError} it is another, or retired */
export async function requireRegistered(
  inbox: AdminInbox,
  { path, identity }: Root,
): Promise<RegisteredStorage> {
  if (identity.inbox !== inbox.uuid) {
    throw new ConfigurationError(
      `${path} belongs to the inbox ${identity.inbox}, this one is ${inbox.uuid}; if that one is ` +
        `lost, make this database that inbox: \`inbox init --uuid ${identity.inbox}\``,
    );
  }
  const storage = await findStorage(inbox, identity.storage);
  if (storage.uuid !== identity.uuid) {
    throw new ConfigurationError(
      `${identity.storage} is registered with the identity ${storage.uuid}, ${path} has ${identity.uuid}`,
    );
  }
  if (storage.retiredAt !== null) {
    throw new ConfigurationError(`${identity.storage} is retired; its receipts are history`);
  }
  return storage;
}
