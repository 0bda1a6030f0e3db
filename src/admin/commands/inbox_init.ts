import { uuid } from "../../command_line.ts";
import { EXIT } from "../../exit_codes.ts";
import { connectAdmin } from "../../inbox/admin/inbox.ts";
import { initInbox } from "../../inbox/admin/migrate.ts";
import { readPasswordFile } from "../../storage/credential_file.ts";
import { DATABASE, plainCommand } from "../command.ts";

export const inboxInit = plainCommand<
  { database: string; uuid?: string; monitorPasswordFile?: string }
>({
  usage: "init",
  summary: "create or migrate the inbox; repair roles and privileges",
  description:
    "Creates schema, roles and privileges in an existing database, or applies what a newer " +
    "release adds, and undoes changes made by hand. Safe to rerun, also beside running " +
    "workers. The application's role gets its password with ALTER ROLE omoide_app.",
  options: [
    DATABASE,
    [
      "--uuid <uuid>",
      "recreate a lost inbox with this UUID: `inbox` in a root's .omoide/storage.json",
      uuid,
    ],
    [
      "--monitor-password-file <file>",
      "the new password of omoide_monitor, who may look; without it, the role keeps its own",
    ],
  ],
  examples: ["omoide-admin inbox init --database postgres://postgres@localhost/omoide"],
  exits: { [EXIT.CONFIGURATION]: "the server, the role or the database is not suitable" },
  need: "ask",
  run: async (_args, { database, uuid: recreated, monitorPasswordFile }, { console }) => {
    const monitorPassword = monitorPasswordFile === undefined
      ? undefined
      : readPasswordFile(monitorPasswordFile);
    const connection = await connectAdmin(database);
    try {
      const { inbox, schemaVersion, applied, warnings, durability } = await initInbox(
        connection,
        recreated,
        monitorPassword,
      );
      console.result({ inbox, schemaVersion, applied, warnings, durability });
      for (const broken of durability.broken) console.say(`WARNING: ${broken}.`);
      for (const note of durability.notes) console.say(`Note: ${note}.`);
      for (const warning of warnings) console.say(`Note: ${warning}.`);
      console.say(
        applied.length === 0
          ? `The inbox ${inbox} is up to date (schema version ${schemaVersion}).`
          : `The inbox ${inbox} has schema version ${schemaVersion}; applied: ${
            applied.join(", ")
          }.`,
      );
      return EXIT.OK;
    } finally {
      await connection.end();
    }
  },
});
