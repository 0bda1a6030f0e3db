import { ConfigurationError, StorageHeldError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { foldHoldings } from "../../inbox/admin/counters.ts";
import { type AdminInbox, openInbox, transaction } from "../../inbox/admin/inbox.ts";
import {
  beginReplacing,
  countReplaced,
  replaceIdentity,
  type Voided,
  voidReceipts,
} from "../../inbox/admin/replace.ts";
import { findStorage, holdInInbox } from "../../inbox/admin/storages.ts";
import { initRoot } from "../../storage/admin/init_root.ts";
import { count } from "../../units.ts";
import { type Context, DATABASE, treeCommand, YES } from "../command.ts";
import { identityAt, LARGE } from "../init_storage.ts";
import { ACCEPT, lookAtMount } from "../look_at_mount.ts";
import type { MountFound } from "../../storage/admin/note_mount.ts";

interface Options {
  readonly database: string;
  readonly yes?: boolean;
  readonly large?: boolean;
  readonly accept?: string;
}

export const storageReplace = treeCommand<Options, { readonly mounted?: MountFound }>({
  usage: "replace <name> <root>",
  summary: "give a storage whose disk is lost a new, empty root",
  description:
    "For a disk that is gone for good. The new root gets an identity of its own, so that the old one is " +
    "refused if it ever turns up; the receipts of what was on it are void, and everything that is " +
    "still in the inbox is owed to it again. `storage sync` from another storage and `storage " +
    "rebuild` then bring back the rest. Meanwhile the storage is distrusted; if this is interrupted, it " +
    "stays so, and running it again goes on. A dry run unless --yes.",
  options: [DATABASE, LARGE, ACCEPT, YES],
  examples: [
    "omoide-admin storage replace hot /srv/omoide/hot --database postgres://postgres@localhost/omoide --yes",
    "omoide-admin storage sync --from /srv/omoide/cold --to /srv/omoide/hot",
    "omoide-admin storage rebuild /srv/omoide/hot --database …",
  ],
  exits: {
    [EXIT.CONFIGURATION]: "no storage has that name, it is retired, or ROOT is not empty",
  },
  need: "change",
  tree: ([, root = ""]) => root,
  makesTree: true,
  prepare: ([, root = ""], { accept }) => lookAtMount(root, accept),
  run: async ([name = ""], { database, yes, large }, context, mounted) => {
    const { console, path: root } = context;
    await using inbox = await openInbox(database);
    const dry = yes !== true;
    const { storage, uuid } = await transaction(inbox, async () => {
      const storage = await findStorage(inbox, name);
      if (storage.retiredAt !== null) throw new ConfigurationError(`${name} is retired`);
      if (!(await holdInInbox(inbox, storage.id))) {
        throw new StorageHeldError(
          `A worker holds the storage ${name}: it is not lost; stop it first`,
        );
      }
      const begun = identityAt(root);
      if (begun?.uuid === storage.uuid) {
        throw new ConfigurationError(
          `${root} is the storage ${name} as it is registered: not lost`,
        );
      }
      // Of a run that was interrupted: the root that it has made is taken up.
      const mine = begun !== null && begun.storage === name && begun.inbox === inbox.uuid;
      const uuid = mine ? begun.uuid : crypto.randomUUID();
      if (dry) return { storage, uuid };
      await beginReplacing(inbox, storage.id);
      const { prefixSize } = storage;
      // Last before the commit, as in initStorage.
      const format = mine ? begun.format : large === true ? 2 : 1;
      const identity = { format, storage: name, uuid, inbox: inbox.uuid, prefixSize };
      initRoot(root, identity, mounted);
      return { storage, uuid };
    });
    const voided = dry
      ? await countReplaced(inbox, storage.id)
      : await replaceReceipts(inbox, storage.id, uuid, context);
    const done = { ...voided, uuid, before: storage.uuid };
    // Left to sweeps, the status would count most of what there is each time, for an hour.
    if (!dry) await foldHoldings(inbox.connection);
    console.result({ name, root, done: !dry, ...done });
    console.say(
      `${count(done.receipts, "receipt")} of ${name} ${dry ? "would be" : "are"} void, ` +
        `${count(done.owed, "media", "media")} of the inbox owed to it.`,
    );
    console.say(
      dry
        ? "Nothing was done; --yes does it."
        : `${root} is the storage ${name} now (${done.uuid}, before: ${done.before}). ` +
          "Its worker may start; `storage sync` and `storage rebuild` bring back what it had.",
    );
    return EXIT.OK;
  },
});

/** Voids the receipts of what was on the old root, then lets the new one take its place. */
async function replaceReceipts(
  inbox: AdminInbox,
  storageId: number,
  uuid: string,
  { console, signal }: Context,
): Promise<Voided> {
  const before = await voidReceipts(
    inbox,
    storageId,
    signal,
    (receipts) => console.progress("voiding receipts", receipts, null, "media"),
  );
  const { receipts, owed } = await transaction(
    inbox,
    () => replaceIdentity(inbox, storageId, uuid),
  );
  return { receipts: before + receipts, owed };
}
