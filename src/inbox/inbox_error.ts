import {
  ConfigurationError,
  DatabaseDamagedError,
  DatabaseUnavailableError,
  StorageDistrustedError,
  StorageHeldError,
} from "../errors.ts";
import { sqlstateOf } from "./connect.ts";
import { pg } from "./pg.ts";
import { SQLSTATE } from "./sqlstates.ts";

/**
 * SQLSTATEs, or their classes, after which a new connection may help: connection lost (08), out of
 * resources (53), read-only after a failover (25006), transaction ended by a time limit (25P), server
 * shutting down or starting (57P0), query cancelled (57014), lost against a concurrent one (40, 55P03).
 */
const TRY_AGAIN = ["08", "53", "25006", "25P", "57P0", "57014", "40", "55P03"];

/** Something that `inbox init` makes is not there: function, schema, table. */
const NOT_INITIALISED = ["42883", "3F000", "42P01"];

/**
 * Sorts an error of a call to the inbox into those on which the worker decides. An error that the
 * inbox's protocol does not foresee comes back as it is: a bug.
 */
export function inboxError(error: unknown): unknown {
  const state = sqlstateOf(error);
  const message = messageOf(error);
  const options = { cause: error };
  if (state === undefined) {
    return new DatabaseUnavailableError(
      `The connection to the database ended: ${message}`,
      options,
    );
  }
  if (TRY_AGAIN.some((prefix) => state.startsWith(prefix))) {
    return new DatabaseUnavailableError(`The database cannot answer now: ${message}`, options);
  }
  // 58: the database's own disk does not give what it holds (EIO, a file that has gone).
  if (state.startsWith("XX") || state.startsWith("58")) {
    return new DatabaseDamagedError(`The database cannot read its own data: ${message}`, options);
  }
  if (state === SQLSTATE.STORAGE_HELD) return new StorageHeldError(message, options);
  if (state === SQLSTATE.STORAGE_DISTRUSTED) return new StorageDistrustedError(message, options);
  if (CONFIGURATION.includes(state)) return new ConfigurationError(message, options);
  if (NOT_INITIALISED.includes(state)) {
    return new ConfigurationError(
      `The database has no inbox that this worker knows: ${message}; run \`inbox init\``,
      options,
    );
  }
  if (state === "42501") {
    return new ConfigurationError(
      `The role lacks a right: ${message}; the worker must log in as its storage's own role, ` +
        "and `inbox init` repairs its rights",
      options,
    );
  }
  return error;
}

/** What the server said, with its hint: that is where the inbox's functions say how to fix it. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof pg.DatabaseError ? error.hint : undefined;
  return hint === undefined ? error.message : `${error.message}. ${hint}`;
}

const CONFIGURATION: readonly string[] = [
  SQLSTATE.UNKNOWN_STORAGE,
  SQLSTATE.OTHER_IDENTITY,
  SQLSTATE.STORAGE_RETIRED,
  SQLSTATE.SCHEMA_VERSION,
];
