import { duration } from "../../command_line.ts";
import { EXIT } from "../../exit_codes.ts";
import { sleep } from "../../sleep.ts";
import { visible } from "../../terminal.ts";
import { DATABASE_TO_ASK, plainCommand } from "../command.ts";
import { InboxWatch, newsOf, type Seen } from "../watch.ts";

interface Options {
  readonly database: string;
  readonly onChange: string;
  readonly every: number;
  readonly awayAfter: number;
}

export const inboxWatch = plainCommand<Options>({
  usage: "watch",
  summary: "run a command when what needs someone's attention changes",
  description:
    "Asks for ever what `inbox status` asks. When there is something new to look at, or no longer " +
    "anything, it runs the command with the shell: OMOIDE_VERDICT is safe, behind, attention or " +
    "unknown (the database has been away for as long as --away-after says), and standard input has the " +
    "verdict and its lines. That numbers and ages go on, and that uploads come and go, is no change. A command that " +
    "fails is run again at the next look.",
  options: [
    DATABASE_TO_ASK,
    ["!--on-change <command>", "what to run, such as a mail"],
    ["--every <time>", "how often to ask", duration(1), "30s"],
    [
      "--away-after <time>",
      "how long the database may be away, as for a restart",
      duration(1),
      "2min",
    ],
  ],
  examples: [
    "omoide-admin inbox watch --database postgres://omoide_monitor@db.lan/omoide \\\n" +
    "    --on-change 'mail -s \"Omoide: $OMOIDE_VERDICT\" root'",
  ],
  exits: { [EXIT.OK]: "stopped by Ctrl-C" },
  need: "run",
  run: async (_args, { database, onChange, every, awayAfter }, { console, signal }) => {
    const watch = new InboxWatch(database, awayAfter * 1000);
    // Who begins to watch hears of what is wrong, and not that nothing is.
    let known = "well";
    while (!signal.aborted) {
      const seen = await watch.look();
      if (seen !== null && newsOf(seen) !== known) {
        console.result({ verdict: seen.word, lines: seen.lines });
        for (const line of seen.lines) console.say(line);
        const code = await runCommand(onChange, seen);
        if (code === 0) known = newsOf(seen);
        else console.remark(`the command of --on-change ended with ${code}; it will be run again`);
      }
      await sleep(every * 1000, signal);
    }
    return EXIT.OK;
  },
});

/** @returns the command's exit status */
async function runCommand(command: string, { word, lines }: Seen): Promise<number> {
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", command],
    // The database's password is not the command's to know.
    env: { OMOIDE_VERDICT: word, PGPASSWORD: "" },
    stdin: "piped",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const text = lines.map((line) => `${visible(line)}\n`).join("");
  // A command need not read.
  await writer.write(new TextEncoder().encode(text)).then(() => writer.close()).catch(() => {});
  return (await child.status).code;
}
