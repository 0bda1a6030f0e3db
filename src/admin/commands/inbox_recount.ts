import { EXIT } from "../../exit_codes.ts";
import { recount } from "../../inbox/admin/counters.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { DATABASE, plainCommand } from "../command.ts";
import { count } from "../../units.ts";

export const inboxRecount = plainCommand<{ database: string; fix?: boolean }>({
  usage: "recount",
  summary: "count everything and compare it with the counters that `inbox status` reads",
  description:
    "The counters are kept by every statement that changes what they count, and so cannot differ unless " +
    "someone has gone past that (a restore with triggers off) or there is a bug: report it. " +
    "Takes about 20 s for ten million media, beside running workers.",
  options: [DATABASE, ["--fix", "correct the counters that differ"]],
  examples: ["omoide-admin inbox recount --database postgres://postgres@localhost/omoide"],
  exits: {
    [EXIT.OK]: "every counter is right, or was corrected",
    [EXIT.ATTENTION]: "some counters differ; the output says which",
  },
  need: "ask",
  run: async (_args, { database, fix }, { console }) => {
    await using inbox = await openInbox(database);
    const { media, miscounts } = await recount(
      inbox,
      fix === true,
      (done) => console.progress("counting", done, null, "media"),
    );
    console.result({ media, miscounts, fixed: fix === true && miscounts.length > 0 });
    for (const { what, counter, counted } of miscounts) {
      console.say(
        `DIFFERS: ${what}: the counter says ${counter.media} media and ${counter.bytes} bytes, ` +
          `there are ${counted.media} and ${counted.bytes}`,
      );
    }
    if (miscounts.length === 0) {
      console.say(`GOOD: ${count(media, "media", "media")} counted, every counter is right.`);
      return EXIT.OK;
    }
    console.say(fix === true ? "The counters were corrected." : "Nothing was changed; --fix does.");
    return fix === true ? EXIT.OK : EXIT.ATTENTION;
  },
});
