import { defined } from "../../defined.ts";
import { ConfigurationError } from "../../errors.ts";
import { connect, type Connection } from "../connect.ts";
import { runStatement } from "../run_statement.ts";
import { sqlstateOf } from "../server_error.ts";
import { type DatabaseAddress, parseAdminDatabaseUrl, showAddress } from "../database_url.ts";
import { endBlockers } from "./blockers.ts";
import { inboxError } from "../inbox_error.ts";
import { requireVersion } from "../require_version.ts";

/** An inbox as its administrator sees it: a superuser's connection, past all functions and rights. */
export interface AdminInbox extends AsyncDisposable {
  readonly connection: Connection;
  /** Opens another connection like it. */
  readonly connectAgain: () => Promise<Connection>;
  /** The inbox's UUID. */
  readonly uuid: string;
  /** How many storages must have a media before its blob may leave. */
  readonly minCopies: number;
}

/**
 * Connects to the database, of which nothing is asked yet.
 *
 * @param url with a password if one is needed, unless PGPASSWORD has it
 */
export async function connectAdmin(url: string): Promise<Connection> {
  const { address, password } = parseAdminDatabaseUrl(url, "postgres");
  const secret = password ?? Deno.env.get("PGPASSWORD");
  try {
    return await connect(address, {
      passwordFrom: "--database or PGPASSWORD",
      ...defined({ password: secret }),
    }, "admin");
  } catch (error) {
    throw hintFor(error, address);
  }
}

/** The worker's advice would mislead here. */
function hintFor(error: unknown, address: DatabaseAddress): unknown {
  if (!(error instanceof ConfigurationError) || sqlstateOf(error.cause) !== "3D000") return error;
  return new ConfigurationError(
    `There is no database ${address.database} at ${showAddress(address)}; make it, as by createdb`,
    { cause: error },
  );
}

/**
 * Opens an inbox of this program's schema version.
 *
 * @throws {ConfigurationError} a database without one, or with one of another version
 */
export async function openInbox(url: string): Promise<AdminInbox> {
  const connection = await connectAdmin(url);
  try {
    const where = showAddress(parseAdminDatabaseUrl(url, "postgres").address);
    const { inbox, schema_version, min_copies } = await readSettings(connection, where);
    requireVersion(schema_version, `The inbox at ${where}`);
    return {
      connection,
      connectAgain: () => connectAdmin(url),
      uuid: inbox,
      minCopies: min_copies,
      [Symbol.asyncDispose]: () => connection.end(),
    };
  } catch (error) {
    await connection.end();
    throw error;
  }
}

interface Settings {
  readonly inbox: string;
  readonly schema_version: number;
  readonly min_copies: number;
}

async function readSettings(connection: Connection, where: string): Promise<Settings> {
  try {
    const { rows } = await connection.query<Settings>(
      "SELECT inbox, schema_version, min_copies FROM omoide.settings",
    );
    if (rows[0] !== undefined) return rows[0];
  } catch (error) {
    const state = sqlstateOf(error);
    if (state === "42501") {
      throw new ConfigurationError(
        `${where}: that role may not look into the inbox; name a superuser`,
      );
    }
    if (state !== "3F000" && state !== "42P01") throw inboxError(error);
  }
  throw new ConfigurationError(`There is no inbox at ${where}; make it with \`inbox init\``);
}

const NAME_SUPERUSER = "name a superuser in --database";

/** Asks as a superuser. Errors as `runStatement`. */
export async function ask<Row extends object>(
  connection: Connection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  return (await result<Row>(connection, sql, values)).rows;
}

/** As `ask`, of a statement that changes rows. @returns how many */
export async function change(
  connection: Connection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<number> {
  return (await result(connection, sql, values)).rowCount ?? 0;
}

async function result<Row extends object>(
  connection: Connection,
  sql: string,
  values: readonly unknown[],
) {
  return await runStatement<Row>(connection, sql, values, NAME_SUPERUSER);
}

/**
 * Runs `work` in a transaction, which `dry` undoes after it has said what it would do. Sessions of the
 * inbox's roles that make it wait are ended.
 */
export async function transaction<T>(
  { connection, connectAgain }: AdminInbox,
  work: () => Promise<T>,
  dry = false,
): Promise<T> {
  await using _watch = endBlockers(connection, connectAgain);
  await ask(connection, "BEGIN ISOLATION LEVEL READ COMMITTED");
  try {
    const result = await work();
    await ask(connection, dry ? "ROLLBACK" : "COMMIT");
    return result;
  } catch (error) {
    // Without a connection there is nothing left to undo; the error says that it is gone.
    await connection.query("ROLLBACK").catch(() => {});
    throw error;
  }
}
