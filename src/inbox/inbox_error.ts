import {
  ConfigurationError,
  DatabaseUnavailableError,
  messageOf,
  StorageDistrustedError,
  StorageHeldError,
} from "../errors.ts";
import { messageWithHint, serverTrouble, sqlstateOf } from "./server_error.ts";
import { SQLSTATE } from "./sqlstates.ts";

/** Something that `inbox init` makes is not there: function, schema, table or view, column of one. */
const MISSING = ["42883", "3F000", "42P01", "42703"];

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
  const missing = missingPart(error);
  if (missing !== null) return missing;
  if (state === "42501") {
    return new ConfigurationError(
      `The role lacks a right: ${message}; log in as the program's own role (a worker's is its ` +
        "storage's), whose rights `inbox init` repairs",
      options,
    );
  }
  return error;
}

/**
 * An error of an inbox that lacks what this program asks for: there is none, or its functions and views are
 * another release's. Null of any other error.
 */
export function missingPart(error: unknown): ConfigurationError | null {
  if (!MISSING.includes(sqlstateOf(error) ?? "")) return null;
  // Without the server's hint, which is about casts.
  const said = messageOf(error);
  return new ConfigurationError(
    `The inbox lacks what this program asks for (${said}); run \`inbox init\` of this program's release`,
    { cause: error },
  );
}

const CONFIGURATION: readonly string[] = [
  SQLSTATE.UNKNOWN_STORAGE,
  SQLSTATE.OTHER_IDENTITY,
  SQLSTATE.STORAGE_RETIRED,
  SQLSTATE.SCHEMA_VERSION,
];
