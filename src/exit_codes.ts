import {
  ConfigurationError,
  DatabaseDamagedError,
  DatabaseUnavailableError,
  InterruptedError,
  ReaderGoneError,
  StorageDistrustedError,
  StorageHeldError,
  StorageLostError,
  StoragePausedError,
  UsageError,
} from "./errors.ts";

/**
 * How a program of this project ended, as a number. 1 and 3 may pass by themselves; 2, 4 and 5 need
 * an administrator. The README's table and every `--help` say the same.
 */
export const EXIT = {
  /** Done, or stopped by a signal with everything finished that was open. */
  OK: 0,
  /** A bug, or something unforeseen. Try again; report it. */
  UNEXPECTED: 1,
  /** The command line is wrong. */
  USAGE: 2,
  /** Try again later: the database is out of reach, the storage is full or another worker holds it. */
  TRY_AGAIN: 3,
  /** An administrator must act: permissions, root, identity, role, password, schema. */
  CONFIGURATION: 4,
  /** An administrator must act: a disk failed, the storage is distrusted until `storage trust`. */
  DISTRUSTED: 5,
  /** `--once`: the rest is stored, but some media could not be; `inbox parked` names them. */
  INCOMPLETE: 6,
  /** Administrator's tools: nothing is wrong, but not everything is where it should be yet. */
  BEHIND: 7,
  /** Administrator's tools: what was looked at is not as it should be; the output says what. */
  ATTENTION: 8,
  /** Administrator's tools: stopped by a signal before the end; run it again. */
  INTERRUPTED: 130,
  /** Whoever read the output has gone (`| head`), which shells know as 128 + SIGPIPE. */
  READER_GONE: 141,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The one place where an error becomes an exit code. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.USAGE;
  if (error instanceof ConfigurationError) return EXIT.CONFIGURATION;
  if (error instanceof StorageLostError) return EXIT.CONFIGURATION;
  if (error instanceof StorageDistrustedError) return EXIT.DISTRUSTED;
  if (error instanceof DatabaseUnavailableError) return EXIT.TRY_AGAIN;
  if (error instanceof DatabaseDamagedError) return EXIT.CONFIGURATION;
  if (error instanceof StorageHeldError) return EXIT.TRY_AGAIN;
  if (error instanceof StoragePausedError) return EXIT.TRY_AGAIN;
  if (error instanceof InterruptedError) return EXIT.INTERRUPTED;
  if (error instanceof ReaderGoneError) return EXIT.READER_GONE;
  return EXIT.UNEXPECTED;
}
