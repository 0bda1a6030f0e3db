import { ConfigurationError } from "../../errors.ts";
import type { Connection } from "../connect.ts";
import { MIGRATIONS } from "../schema/migrations.ts";
import { requireVersion } from "../require_version.ts";
import { SCHEMA_VERSION } from "../schema_version.ts";

/** The oldest schema that can be brought up to date; none before it was released. */
const OLDEST_SCHEMA = MIGRATIONS[0]?.version ?? SCHEMA_VERSION;

/** Of `omoide.settings s`, also in a version that had no names. */
export const ASK_NAME = "coalesce(to_jsonb(s) ->> 'inbox_name', '')";

/** An inbox as it is before it is brought up to date. */
export interface FoundInbox {
  readonly inbox: string;
  readonly name: string;
  readonly schemaVersion: number;
}

/** The inbox in this database, or null if there is no schema `omoide` yet. */
export async function findInbox(connection: Connection): Promise<FoundInbox | null> {
  const { rows: [found] } = await connection.query<{ schema: boolean; settings: boolean }>(
    "SELECT to_regnamespace('omoide') IS NOT NULL AS schema, " +
      "to_regclass('omoide.settings') IS NOT NULL AS settings",
  );
  if (found?.schema !== true) return null;
  if (!found.settings) {
    throw new ConfigurationError(
      "Cannot create the inbox: this database has a schema `omoide` that is something else; " +
        "use a database of its own",
    );
  }
  const { rows: [inbox] } = await connection.query<
    { inbox: string; name: string; schema_version: number }
  >(`SELECT inbox, ${ASK_NAME} AS name, schema_version FROM omoide.settings s`);
  if (inbox === undefined) {
    throw new ConfigurationError(
      "Cannot use this inbox: its table omoide.settings is empty; restore it from a backup",
    );
  }
  if (inbox.schema_version < OLDEST_SCHEMA) {
    throw new ConfigurationError(
      `Cannot use this inbox: its schema has version ${inbox.schema_version}, which no release made; ` +
        `bring it to ${OLDEST_SCHEMA} with the program that made it, or use a new database`,
    );
  }
  // `inbox init` is what brings an older one up to date.
  if (inbox.schema_version > SCHEMA_VERSION) requireVersion(inbox.schema_version);
  return { inbox: inbox.inbox, name: inbox.name, schemaVersion: inbox.schema_version };
}
