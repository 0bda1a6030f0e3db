import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { listStorages, retireStorage } from "../../inbox/admin/storages.ts";
import { count, showBytes } from "../../units.ts";
import { DATABASE, plainCommand, YES } from "../command.ts";

export const storageList = plainCommand<{ database: string }>({
  usage: "list",
  summary: "list the storages that the inbox knows",
  description: "Lists the registered storages with identity, role, and whether each is required. " +
    "`inbox status` says how they are.",
  options: [DATABASE],
  examples: ["omoide-admin storage list --database postgres://postgres@localhost/omoide"],
  need: "ask",
  run: async (_args, { database }, { console }) => {
    await using inbox = await openInbox(database);
    const storages = await listStorages(inbox);
    console.result({ inbox: inbox.uuid, minCopies: inbox.minCopies, storages });
    for (const { name, uuid, role, prefixSize, requiredSince, ...each } of storages) {
      const standing = each.retiredAt !== null
        ? `retired ${each.retiredAt.toISOString()}`
        : `required since ${requiredSince.toISOString()}`;
      const distrust = each.distrustedReason === null
        ? ""
        : `, DISTRUSTED: ${each.distrustedReason}`;
      console.say(
        `${name}: ${standing}, identity ${uuid}, role ${role}, prefix size ${prefixSize}${distrust}`,
      );
    }
    return EXIT.OK;
  },
});

export const storageRetire = plainCommand<{ database: string; yes?: boolean }>({
  usage: "retire <name>",
  summary: "no longer require a storage",
  description:
    "A retired storage is owed nothing more, and blobs no longer wait for it. Shows what that " +
    "drops and releases, and does it only with --yes. Final: a disk used again " +
    "is a new storage. Its files stay as they are.",
  options: [DATABASE, YES],
  examples: [
    "omoide-admin storage retire cold --database postgres://postgres@localhost/omoide",
    "omoide-admin storage retire cold --database … --yes",
  ],
  exits: {
    [EXIT.CONFIGURATION]: "too few storages would remain, or none has that name",
  },
  need: "ask",
  run: async ([name = ""], { database, yes }, { console }) => {
    await using inbox = await openInbox(database);
    const dry = yes !== true;
    const done = await retireStorage(inbox, name, dry);
    console.result({ name, done: !dry, ...done });
    const would = dry ? "would no longer be" : "is no longer";
    console.say(
      `${name} ${would} owed ${count(done.dropped, "media", "media")} ` +
        `(${showBytes(done.droppedBytes)}); ${count(done.releases, "blob")} ` +
        `(${showBytes(done.releasesBytes)}) ${
          dry ? "would" : "will"
        } leave the inbox, being in all ` +
        `${count(done.remaining, "remaining storage")}.`,
    );
    console.say(
      dry ? "Nothing was done; --yes does it." : `${name} is retired. Stop its worker.`,
    );
    return EXIT.OK;
  },
});
