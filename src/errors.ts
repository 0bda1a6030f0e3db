/**
 * The errors on which a caller decides. Each message carries the value that is wrong and, after it, how
 * to fix it. Anything that is none of these is a bug, and ends the process.
 */

/** The inbox's bytes are not what the media's row says. Trying again cannot fix that: it gets parked. */
export class MediaDefectError extends Error {
  override readonly name = "MediaDefectError";
  constructor(readonly mediaId: bigint, message: string) {
    super(message);
  }
}

/** This media cannot be stored now; others can. Tried again with growing pauses, then parked. */
export class MediaFailureError extends Error {
  override readonly name = "MediaFailureError";
  constructor(readonly mediaId: bigint, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Why a storage takes nothing for the moment. */
export type PauseReason = "no space" | "no inodes" | "reserve" | "read-only" | "quota";

/** The storage takes nothing for the moment (full, read-only). Nothing is counted against any media. */
export class StoragePausedError extends Error {
  override readonly name = "StoragePausedError";
  constructor(readonly reason: PauseReason, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/**
 * A write or fsync failed in a way after which the kernel's word on this disk means nothing. Nothing
 * more may be acknowledged until an administrator has verified the storage.
 */
export class StorageDistrustedError extends Error {
  override readonly name = "StorageDistrustedError";
}

/** The root is not, or is no longer, the storage that this worker was started for. */
export class StorageLostError extends Error {
  override readonly name = "StorageLostError";
}

/** Something only an administrator can fix: a role, a root, a schema, a permission. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The database cannot be reached, or a connection to it ended. Trying again may help. */
export class DatabaseUnavailableError extends Error {
  override readonly name = "DatabaseUnavailableError";
}

/** Another worker holds this storage. Standing by may help. */
export class StorageHeldError extends Error {
  override readonly name = "StorageHeldError";
}

/** The database cannot read what it holds: a damaged page or TOAST value. Other rows may be sound. */
export class DatabaseDamagedError extends Error {
  override readonly name = "DatabaseDamagedError";
}

/** Whoever read the output has gone (`| head`): there is nobody to say anything more to. */
export class ReaderGoneError extends Error {
  override readonly name = "ReaderGoneError";
}

/** The administrator stopped a command before its end. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/** Whether nothing more may be acknowledged: what the disk says, or whose it is, is in doubt. */
export function endsStorage(error: unknown): error is StorageDistrustedError | StorageLostError {
  return error instanceof StorageDistrustedError || error instanceof StorageLostError;
}

/** Anything that was thrown, which need not be an Error, as one. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** What to say of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What could not be done, why, and what fixes it: `Cannot create x: No space left; make room`. */
export function cannot(action: string, error: unknown, fix?: string): string {
  const what = `Cannot ${action}: ${messageOf(error)}`;
  return fix === undefined ? what : `${what}; ${fix}`;
}
