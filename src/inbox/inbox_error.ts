import {
  ConfigurationError,
  DatabaseUnavailableError,
  StorageDistrustedError,
  StorageHeldError,
} from "../errors.ts";
import { messageWithHint, serverTrouble, sqlstateOf } from "./server_error.ts";
import { SQLSTATE } from "./sqlstates.ts";

/** Something that `inbox init` makes is not there: function, schema, table. */
const NOT_INITIALISED = ["42883", "3F000", "42P01"];

/**
 * Sorts an error of a call to the inbox into those on which the worker decides. An error that the
 * inbox's protocol does not foresee comes back as it is: a bug.
 */
export function inboxError(error: unknown): unknown {
  const state = sqlstateOf(error);
  const message = messageWithHint(error);
  const options = { cause: error };
  if (state === undefined) {
    return new DatabaseUnavailableError(
      `The connection to the database ended: ${message}`,
      options,
    );
  }
  const trouble = serverTrouble(error);
  if (trouble !== null) return trouble;
  if (state === SQLSTATE.STORAGE_HELD) return new StorageHeldError(message, options);
  if (state === SQLSTATE.STORAGE_DISTRUSTED) return new StorageDistrustedError(message, options);
  if (CONFIGURATION.includes(state)) return new ConfigurationError(message, options);
  if (NOT_INITIALISED.includes(state)) {
    return new ConfigurationError(
      `The database has no inbox that this program knows: ${message}; run \`inbox init\``,
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

const CONFIGURATION: readonly string[] = [
  SQLSTATE.UNKNOWN_STORAGE,
  SQLSTATE.OTHER_IDENTITY,
  SQLSTATE.STORAGE_RETIRED,
  SQLSTATE.SCHEMA_VERSION,
];
