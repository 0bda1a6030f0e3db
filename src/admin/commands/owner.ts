import { uuid } from "../../command_line.ts";
import { UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { freezeOwner, handOver, ownerState } from "../../inbox/admin/owners.ts";
import { revokeTokensOf } from "../../inbox/admin/tokens.ts";
import { count, showBytes } from "../../units.ts";
import { DATABASE, OWNER, plainCommand } from "../command.ts";

export const ownerShow = plainCommand<{ database: string }>({
  usage: "show <owner>",
  summary: "what an inbox has of one owner, and whether all of it is stored",
  description:
    "Shows what of an owner is still in the inbox or coming in, and how many files each storage has " +
    "acknowledged. An owner whose files are to move must have nothing left in the inbox.",
  options: [DATABASE],
  examples: [`omoide-admin owner show ${OWNER} --database postgres://postgres@localhost/omoide`],
  exits: {
    [EXIT.OK]: "nothing of the owner is in the inbox or coming in; of a frozen one, nothing can",
    [EXIT.BEHIND]: "something is: wait for it",
  },
  readArguments: [uuid],
  need: "ask",
  run: async ([owner = ""], { database }, { console }) => {
    await using inbox = await openInbox(database);
    const state = await ownerState(inbox, owner);
    const { frozenAt, earlier, waiting, waitingBytes, uploads, storages, tokens, items } = state;
    console.result({ owner, ...state });
    for (const { storage, files } of storages) {
      console.say(`${storage}: ${count(files, "receipt")}`);
    }
    console.say(`${count(items, "item")} with a name, ${count(tokens, "valid token")}`);
    if (frozenAt !== null) console.say(`frozen since ${frozenAt.toISOString()}`);
    if (waiting + uploads + earlier === 0) {
      console.say("DRAINED: nothing of this owner is in the inbox.");
      return EXIT.OK;
    }
    console.say(
      `BEHIND: ${count(waiting, "media", "media")} (${showBytes(waitingBytes)}) in the inbox, ` +
        `${count(uploads, "upload")} coming in` +
        (earlier === 0 ? "." : `, ${count(earlier, "transaction")} from before the freeze.`),
    );
    return EXIT.BEHIND;
  },
});

export const ownerFreeze = plainCommand<{ database: string; undo?: boolean }>({
  usage: "freeze <owner>",
  summary: "take nothing more of an owner, whose files are to move",
  description:
    "Uploads of the owner are refused from now on (SQLSTATE OM007), whatever the application does. What " +
    "is in the inbox already is stored as always, and an upload that was opened before may be finished.",
  options: [DATABASE, ["--undo", "take uploads of the owner again"]],
  examples: [
    `omoide-admin owner freeze ${OWNER} --database postgres://postgres@localhost/omoide`,
    `omoide-admin owner freeze ${OWNER} --undo --database …`,
  ],
  readArguments: [uuid],
  need: "ask",
  run: async ([owner = ""], { database, undo }, { console }) => {
    await using inbox = await openInbox(database);
    await freezeOwner(inbox, owner, undo !== true);
    console.result({ owner, frozen: undo !== true });
    console.say(undo ? `Owner ${owner} may upload again.` : `Owner ${owner} is frozen.`);
    return EXIT.OK;
  },
});

export const ownerHandOver = plainCommand<{ database: string; to: string; revoke?: boolean }>({
  usage: "hand-over <owner>",
  summary: "copy an owner's item names and tokens into another inbox",
  description:
    "Copies what the inbox knows of an owner beside the files: what the items' files were called and when " +
    "they were last modified, and the hashes of the valid tokens. What the other inbox has already stays, " +
    "and here nothing changes but by --revoke. Safe to rerun. The files go by `storage sync --owner`.",
  options: [
    DATABASE,
    ["!--to <url>", "the other inbox: a superuser's URL, as --database"],
    ["--revoke", "then revoke the tokens here: this gateway takes nothing more of the owner"],
  ],
  examples: [
    `omoide-admin owner hand-over ${OWNER} --database postgres://postgres@old.lan/omoide \\`,
    "  --to postgres://postgres@new.lan/omoide",
  ],
  readArguments: [uuid],
  need: "ask",
  run: async ([owner = ""], { database, to, revoke }, { console }) => {
    await using inbox = await openInbox(database);
    await using other = await openInbox(to);
    if (inbox.uuid === other.uuid) {
      throw new UsageError("--database and --to are the same inbox; name two");
    }
    const made = await handOver(inbox, other, owner);
    const revoked = revoke ? await revokeTokensOf(inbox, owner) : 0;
    console.result({ owner, from: inbox.uuid, to: other.uuid, ...made, revoked });
    console.say(
      `DONE: ${count(made.items, "item")} and ${
        count(made.tokens, "token")
      } new to the other inbox; ` +
        `${count(revoked, "token")} revoked here.`,
    );
    return EXIT.OK;
  },
});
