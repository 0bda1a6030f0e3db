import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { openFindings } from "../../inbox/status/open_findings.ts";
import { FIXES } from "../../verdict/fixes.ts";
import { count, showDuration } from "../../units.ts";
import { DATABASE_TO_ASK, plainCommand } from "../command.ts";

/** The inbox keeps 10,000 of each storage. */
const MOST = 1_000_000;

export const inboxFindings = plainCommand<{ database: string }>({
  usage: "findings",
  summary: "list what looks at the storages have found wrong",
  description:
    "Lists each finding of a scrub, or of `storage verify --database`, that no later look has found " +
    "well, and for each kind the command that helps.",
  options: [DATABASE_TO_ASK],
  examples: ["omoide-admin inbox findings --database postgres://postgres@localhost/omoide"],
  exits: { [EXIT.OK]: "there is none", [EXIT.ATTENTION]: "there is one or more" },
  need: "ask",
  run: async (_args, { database }, { console }) => {
    await using inbox = await openInbox(database);
    const findings = await openFindings(inbox.connection, MOST);
    console.result({ findings });
    for (const { storage, kind, path, detail, age } of findings) {
      console.say(`${storage}: ${kind}: ${path} ${detail} (found ${showDuration(age)} ago)`);
    }
    for (const kind of new Set(findings.map(({ kind }) => kind))) {
      console.say(`What helps against “${kind}”: ${FIXES[kind]}.`);
    }
    console.say(`${count(findings.length, "finding")}.`);
    return findings.length === 0 ? EXIT.OK : EXIT.ATTENTION;
  },
});
