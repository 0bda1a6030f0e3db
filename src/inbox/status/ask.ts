import type { Connection } from "../connect.ts";
import { runStatement } from "../run_statement.ts";

const LOG_IN = "log in as the monitor's role or a superuser, and run `inbox init`";

/** Asks as whoever may look at the inbox. Errors as `runStatement`. */
export async function ask<Row extends object>(
  connection: Connection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  return (await runStatement<Row>(connection, sql, values, LOG_IN)).rows;
}
