import { ConfigurationError, messageOf } from "../../errors.ts";
import type { Connection } from "../connect.ts";
import { sqlstateOf } from "../server_error.ts";
import { inboxError } from "../inbox_error.ts";

/**
 * Asks as whoever may look at the inbox.
 *
 * @throws {ConfigurationError} the role may not ask, or there is no inbox
 * @throws {DatabaseUnavailableError} trying again may help
 */
export async function ask<Row extends object>(
  connection: Connection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  try {
    return (await connection.query<Row>(sql, [...values])).rows;
  } catch (error) {
    if (sqlstateOf(error) !== "42501") throw inboxError(error);
    throw new ConfigurationError(
      `That role may not do this (${
        messageOf(error)
      }); log in as the monitor's role or a superuser, and ` +
        "run `inbox init`",
      { cause: error },
    );
  }
}
