import { DatabaseUnavailableError } from "../../errors.ts";
import { sqlstateOf } from "../server_error.ts";
import { inboxError } from "../inbox_error.ts";
import { pg } from "../pg.ts";
import { SQLSTATE } from "../sqlstates.ts";

/** Why the inbox took nothing. */
export type Refusal =
  | "inbox full"
  | "too large"
  | "owner's day"
  | "all owners' day"
  | "too many uploads"
  | "uploads full"
  | "owner frozen"
  | "invalid"
  | "not sealed"
  | "wrong offset"
  | "unknown upload";

const REFUSALS: Readonly<Record<string, Refusal>> = {
  [SQLSTATE.INBOX_FULL]: "inbox full",
  [SQLSTATE.MEDIA_TOO_LARGE]: "too large",
  [SQLSTATE.OWNER_LIMIT]: "owner's day",
  [SQLSTATE.DAILY_LIMIT]: "all owners' day",
  [SQLSTATE.TOO_MANY_UPLOADS]: "too many uploads",
  [SQLSTATE.UPLOADS_FULL]: "uploads full",
  [SQLSTATE.OWNER_FROZEN]: "owner frozen",
  [SQLSTATE.INVALID_MEDIA]: "invalid",
  [SQLSTATE.SEAL_REFUSED]: "not sealed",
  [SQLSTATE.WRONG_OFFSET]: "wrong offset",
  [SQLSTATE.UNKNOWN_UPLOAD]: "unknown upload",
};

/** The inbox took nothing of what was asked; the message says why, with the numbers. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(
    readonly reason: Refusal,
    message: string,
    /** What to do, as the inbox puts it. */
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Sorts an error of a call into those on which an application decides.
 *
 * @returns a RefusedError, or what `inboxError` makes of it
 */
export function applicationError(error: unknown): unknown {
  const reason = REFUSALS[sqlstateOf(error) ?? ""];
  if (reason !== undefined && error instanceof pg.DatabaseError) {
    return new RefusedError(reason, error.message, error.hint ?? "", { cause: error });
  }
  // Of the pool: no connection came free, or none could be made.
  if (error instanceof DatabaseUnavailableError) return error;
  return inboxError(error);
}
