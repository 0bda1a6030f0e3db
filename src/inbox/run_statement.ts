import { ConfigurationError, messageOf } from "../errors.ts";
import type { Connection } from "./connect.ts";
import { inboxError } from "./inbox_error.ts";
import type { pg } from "./pg.ts";
import { sqlstateOf } from "./server_error.ts";

/**
 * Runs a statement of an administrator's or the monitor's, which is not one of the inbox's functions.
 *
 * @param fix what helps if the role may not do that
 * @throws {ConfigurationError} the role may not, or there is no inbox
 * @throws {DatabaseUnavailableError} trying again may help
 */
export async function runStatement<Row extends object>(
  connection: Connection,
  sql: string,
  values: readonly unknown[],
  fix: string,
): Promise<pg.QueryResult<Row>> {
  try {
    return await connection.query<Row>(sql, [...values]);
  } catch (error) {
    if (sqlstateOf(error) !== "42501") throw inboxError(error);
    const message = `That role may not do this (${messageOf(error)}); ${fix}`;
    throw new ConfigurationError(message, { cause: error });
  }
}
