import { uuid } from "../../command_line.ts";
import { defined } from "../../defined.ts";
import { EXIT } from "../../exit_codes.ts";
import { connectAdmin } from "../../inbox/admin/inbox.ts";
import { initInbox } from "../../inbox/admin/init_inbox.ts";
import { roleOf } from "../../inbox/role_names.ts";
import { readPasswordFile } from "../../storage/credential_file.ts";
import { DATABASE, plainCommand } from "../command.ts";

export const inboxInit = plainCommand<
  { database: string; name?: string; uuid?: string; monitorPasswordFile?: string }
>({
  usage: "init",
  summary: "create or migrate the inbox; repair roles and privileges",
  description:
    "Creates schema, roles and privileges in an existing database, or applies what a newer " +
    "release adds, and undoes changes made by hand. Safe to rerun, also beside running " +
    "workers. The application's role gets its password with ALTER ROLE omoide_app. A second " +
    "inbox of a cluster needs a name, which its roles carry: omoide_NAME_app.",
  options: [
    DATABASE,
    [
      "--name <name>",
      "call a new inbox so: a small letter, then up to 17 small letters or digits; it never changes",
    ],
    [
      "--uuid <uuid>",
      "recreate a lost inbox with this UUID: `inbox` in a root's .omoide/storage.json",
      uuid,
    ],
    [
      "--monitor-password-file <file>",
      "the new password of omoide_monitor, the role that may look; without it, it keeps its own",
    ],
  ],
  examples: ["omoide-admin inbox init --database postgres://postgres@localhost/omoide"],
  exits: { [EXIT.CONFIGURATION]: "the server, the role or the database is not suitable" },
  need: "ask",
  run: async (
    _args,
    { database, name: wanted, uuid: recreated, monitorPasswordFile },
    { console },
  ) => {
    const monitorPassword = readPasswordFile(monitorPasswordFile);
    const connection = await connectAdmin(database);
    try {
      const { inbox, name, schemaVersion, applied, warnings, durability } = await initInbox(
        connection,
        defined({ name: wanted, uuid: recreated, monitorPassword }),
      );
      console.result({ inbox, name, schemaVersion, applied, warnings, durability });
      for (const broken of durability.broken) console.say(`WARNING: ${broken}.`);
      for (const note of durability.notes) console.say(`Note: ${note}.`);
      for (const warning of warnings) console.say(`Note: ${warning}.`);
      const called = name === "" ? inbox : `${name} (${inbox})`;
      console.say(
        applied.length === 0
          ? `The inbox ${called} is up to date (schema version ${schemaVersion}).`
          : `The inbox ${called} has schema version ${schemaVersion}; applied: ${
            applied.join(", ")
          }.`,
      );
      if (name !== "") {
        console.say(
          `Its roles carry its name: ${roleOf("app", name)} for the application, ` +
            `${roleOf("monitor", name)} for who may look. Name them in --database.`,
        );
      }
      return EXIT.OK;
    } finally {
      await connection.end();
    }
  },
});
