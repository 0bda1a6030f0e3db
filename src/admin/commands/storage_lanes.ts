import { integer } from "../../command_line.ts";
import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { MOST_LANES, setLanes } from "../../inbox/admin/lanes.ts";
import { count } from "../../units.ts";
import { DATABASE, plainCommand } from "../command.ts";

export const storageLanes = plainCommand<{ database: string }>({
  usage: "lanes <name> <n>",
  summary: "let several workers carry to a storage at the same time",
  description:
    "Parts what is owed to a storage into N lanes. Start as many workers for it as you like, on one " +
    "machine or several: they share the lanes evenly, also while they come and go, and one that " +
    "finds no lane stands by. Worth it where each file takes long, as on a network file system, " +
    "or where one worker takes all of a processor. It may be changed while workers run: they " +
    "finish what is under way, and go on with the new number.",
  options: [DATABASE],
  examples: ["omoide-admin storage lanes hot 8 --database postgres://postgres@localhost/omoide"],
  exits: { [EXIT.CONFIGURATION]: "no storage has that name, or it is retired" },
  readArguments: [String, (text) => `${integer(1, MOST_LANES)(text)}`],
  need: "ask",
  run: async ([name = "", text = ""], { database }, { console }) => {
    const lanes = Number(text);
    await using inbox = await openInbox(database);
    const { before, warning } = await setLanes(inbox, name, lanes);
    console.result({ name, lanes, before, warning });
    console.say(
      before === lanes
        ? `${name} has ${count(lanes, "lane")} already.`
        : `${name} has ${count(lanes, "lane")} now, it had ${before}.`,
    );
    if (warning !== null) console.say(`! ${warning}`);
    return EXIT.OK;
  },
});
