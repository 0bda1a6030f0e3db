import { defined } from "../defined.ts";
import { ConfigurationError, StorageLostError } from "../errors.ts";
import type { AdminInbox } from "../inbox/admin/inbox.ts";
import { listStorages } from "../inbox/admin/storages.ts";
import { registerStorage, type Registration } from "../inbox/admin/register_storage.ts";
import { readIdentityOf } from "../storage/admin/open_for_admin.ts";
import { initRoot, type InitRootOptions } from "../storage/admin/init_root.ts";
import type { StorageIdentity } from "../storage/storage.ts";

export const DEFAULT_PREFIX_SIZE = 2;

/** Every command that makes a root takes it. */
export const LARGE = [
  "--large",
  "for hundreds of millions of files: 4,096 directories of objects instead of 256, which takes up to " +
  "twice as many fsyncs of directories; for new roots only, and older releases refuse it",
] as const;

export interface StorageInit extends InitRootOptions {
  readonly name: string;
  /** Absolute, without links. */
  readonly root: string;
  /** What an existing storage has, or the default, where none is given. */
  readonly prefixSize?: number;
  /** Give a new root format 2; one that exists keeps its own. */
  readonly large?: boolean;
  /** The role's new password. */
  readonly password?: string;
  /** The new password of its scrub's role. */
  readonly scrubPassword?: string;
}

/**
 * Registers a storage and makes its root, or finishes what an earlier run had begun.
 *
 * The root is made within the registration's transaction, last before its commit. So a name or role that
 * is refused leaves no root behind, and a root that is refused no registration. The other order would
 * owe every upload to a storage that may never come to be. Where the commit is lost, the root has its
 * identity already, and the next run registers that.
 */
export async function initStorage(
  inbox: AdminInbox,
  wanted: StorageInit,
): Promise<Registration & { readonly identity: StorageIdentity }> {
  for (let attempt = 1;; attempt++) {
    const identity = await decideIdentity(inbox, wanted);
    const { storage: name, uuid, prefixSize } = identity;
    const { password, scrubPassword } = wanted;
    try {
      const registered = await registerStorage(
        inbox.connection,
        { name, identity: uuid, prefixSize, ...defined({ password, scrubPassword }) },
        () => initRoot(wanted.root, identity, wanted),
      );
      // With what was noted of its mount.
      return { ...registered, identity: readIdentityOf(wanted.root) };
    } catch (error) {
      // Another run of the same command may have decided first: then its decision is found now.
      const again = error instanceof ConfigurationError && attempt === 1 &&
        (await decideIdentity(inbox, wanted)).uuid !== uuid &&
        (await listStorages(inbox)).some((storage) => storage.name === name);
      if (!again) throw error;
    }
  }
}

/** The identity that the root has or is to get. */
async function decideIdentity(inbox: AdminInbox, wanted: StorageInit): Promise<StorageIdentity> {
  const { name: storage, root } = wanted;
  const found = identityAt(root);
  const registered = (await listStorages(inbox)).find(({ name }) => name === storage);
  const prefixSize = wanted.prefixSize ?? registered?.prefixSize ?? found?.prefixSize ??
    DEFAULT_PREFIX_SIZE;
  const format = wanted.large === true ? 2 : found?.format ?? 1;
  if (found !== null && found.format !== format) {
    throw new ConfigurationError(
      `Cannot make ${root} a storage for many files: it was made without --large, and its objects stay ` +
        "where they are; leave it out, or give an empty directory",
    );
  }
  const base = { format, storage, inbox: inbox.uuid, prefixSize } as const;
  if (registered !== undefined) {
    if (found === null && registered.retiredAt === null) {
      throw new ConfigurationError(
        `Cannot make the storage ${storage} at ${root}: it is registered with another root (identity ` +
          `${registered.uuid}); mount that one, choose another name, or, where its disk is lost, ` +
          `\`storage replace ${storage} ${root}\``,
      );
    }
    return { ...base, uuid: registered.uuid };
  }
  const begun = found !== null && found.storage === storage && found.inbox === inbox.uuid;
  return { ...base, uuid: begun ? found.uuid : crypto.randomUUID() };
}

/** The identity of what is at a root; null where there is no storage. */
export function identityAt(root: string): StorageIdentity | null {
  try {
    return readIdentityOf(root);
  } catch (error) {
    if (error instanceof StorageLostError) return null;
    throw error;
  }
}
