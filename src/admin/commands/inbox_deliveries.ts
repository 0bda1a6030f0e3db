import { refuse } from "../../command_line.ts";
import { UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import {
  type FailedDelivery,
  parkedDeliveries,
  retryDeliveries,
} from "../../inbox/admin/deliveries.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { findStorage } from "../../inbox/admin/storages.ts";
import { count, showBytes } from "../../units.ts";
import { DATABASE, DATABASE_TO_ASK, plainCommand } from "../command.ts";

export const inboxParked = plainCommand<{ database: string }>({
  usage: "parked",
  summary: "list what the workers have given up on, and why",
  description:
    "Lists each media that a worker has given up on, with the last error. Its bytes stay in " +
    "the inbox until a retry (`inbox retry`) succeeds.",
  options: [DATABASE_TO_ASK],
  examples: ["omoide-admin inbox parked --database postgres://postgres@localhost/omoide"],
  exits: { [EXIT.OK]: "nothing is parked", [EXIT.ATTENTION]: "something is" },
  need: "ask",
  run: async (_args, { database }, { console }) => {
    await using inbox = await openInbox(database);
    const parked = await parkedDeliveries(inbox);
    console.result({ parked });
    for (const delivery of parked) console.say(sentence(delivery));
    console.say(`${count(parked.length, "delivery", "deliveries")} parked.`);
    return parked.length === 0 ? EXIT.OK : EXIT.ATTENTION;
  },
});

function sentence(delivery: FailedDelivery): string {
  const { mediaId, storage, mediaType, owner, item, ext, size, attempts, parkedAt } = delivery;
  return `${mediaId} for ${storage}: ${mediaType} ${item}.${ext} of owner ${owner}, ` +
    `${showBytes(size)}, parked ${parkedAt?.toISOString() ?? ""} after ` +
    `${count(attempts, "attempt")}: ${delivery.lastError ?? "no error reported"}`;
}

export const inboxRetry = plainCommand<{ database: string; all?: boolean; storage?: string }>({
  usage: "retry [ids...]",
  summary: "retry failed and parked media at once",
  description:
    "Unparks media (by the ids that `inbox parked` lists), resets their count of attempts, and " +
    "wakes the workers.",
  options: [
    DATABASE,
    ["--all", "everything that has failed, parked or waiting for its next attempt"],
    ["--storage <name>", "only what is owed to this storage"],
  ],
  examples: [
    "omoide-admin inbox retry 4711 4712 --database postgres://postgres@localhost/omoide",
    "omoide-admin inbox retry --all --storage cold --database …",
  ],
  readArguments: [mediaId],
  need: "ask",
  run: async (ids, { database, all, storage }, { console }) => {
    if ((ids.length > 0) === (all === true)) {
      throw new UsageError("name media ids, or give --all");
    }
    await using inbox = await openInbox(database);
    if (storage !== undefined) await findStorage(inbox, storage);
    const retried = await retryDeliveries(inbox, all === true ? null : ids, storage ?? null);
    console.result({ retried });
    console.say(`${count(retried, "delivery", "deliveries")} will be tried again now.`);
    return EXIT.OK;
  },
});

function mediaId(text: string): string {
  if (/^[1-9][0-9]{0,17}$/.test(text)) return text;
  throw refuse("It takes a media's id, as `inbox parked` lists it.");
}
