/** What the server says went wrong, whatever it was asked. */
import { DatabaseDamagedError, DatabaseUnavailableError } from "../errors.ts";
import { pg } from "./pg.ts";

/** SQLSTATE of an error that the server sent, undefined for any other. */
export function sqlstateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/**
 * SQLSTATEs, or their classes, after which a new connection may help: connection lost (08), out of
 * resources (53), read-only after a failover (25006), transaction ended by a time limit (25P), server
 * shutting down or starting (57P0), query cancelled (57014), lost against a concurrent one (40, 55P03).
 */
const TRY_AGAIN = ["08", "53", "25006", "25P", "57P0", "57014", "40", "55P03"];

/** What a state of the server is, and what its administrator can do: its own words and hints say too little. */
const FIXES: Readonly<Record<string, readonly [what: string, fix: string]>> = {
  "53100": ["its disk is full", "make room on that server, and try again"],
  "53200": ["its memory is used up", "see what takes it on that server, and try again"],
  "53300": ["all its connections are taken", "see in pg_stat_activity by whom, and try again"],
  "25006": ["its transactions are read-only", "see whether it is a standby, or was set so"],
};

/** The state that keeps a server from doing anything, with its fix; null if the error tells of no such state. */
export function stateOfServer(error: unknown): string | null {
  if (!(error instanceof pg.DatabaseError)) return null;
  const [what, fix] = FIXES[error.code ?? ""] ?? [];
  return what === undefined ? null : `${what} (${error.message}); ${fix}`;
}

/** What the server said, with its hint: that is where the inbox's functions say how to fix it. */
export function messageWithHint(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof pg.DatabaseError ? error.hint : undefined;
  return hint === undefined ? error.message : `${error.message}. ${hint}`;
}

/**
 * An error that is no fault of what was asked: the server is full, shuts down, cannot read what it holds.
 * Null of any other.
 */
export function serverTrouble(
  error: unknown,
): DatabaseUnavailableError | DatabaseDamagedError | null {
  const state = sqlstateOf(error);
  if (state === undefined) return null;
  const options = { cause: error };
  if (TRY_AGAIN.some((prefix) => state.startsWith(prefix))) {
    const message = stateOfServer(error) ?? messageWithHint(error);
    return new DatabaseUnavailableError(`The database cannot answer now: ${message}`, options);
  }
  // 58: the database's own disk does not give what it holds (EIO, a file that has gone).
  if (state.startsWith("XX") || state.startsWith("58")) {
    const message = messageWithHint(error);
    return new DatabaseDamagedError(`The database cannot read its own data: ${message}`, options);
  }
  return null;
}
