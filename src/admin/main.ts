import { CommanderError } from "commander";
import { ConfigurationError } from "../errors.ts";
import { EXIT, type ExitCode, exitCodeOf } from "../exit_codes.ts";
import { showFailure } from "../run_program.ts";
import { osCode } from "../storage/file_calls.ts";
import { showUncaught } from "../terminal.ts";
import { buildProgram } from "./program.ts";

/**
 * Runs one command.
 *
 * @returns the exit code; every error has become one line on standard error
 */
export async function main(args: readonly string[]): Promise<number> {
  let code: ExitCode = EXIT.OK;
  const program = buildProgram((ended) => code = ended);
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    // Commander has printed its own message or the help already; a wrong command line is its 1.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    const known = foreseen(error);
    showFailure("omoide-admin", known);
    return exitCodeOf(known);
  }
}

/** The operating system's refusals (a full disk, a missing permission) are an administrator's to fix. */
function foreseen(error: unknown): unknown {
  // PostgreSQL's errors have a code too; those that are foreseen have been turned into ours by now.
  // The guard's own NotFound has no code: what a hostile owner, or a disk that goes, has taken away meanwhile.
  const isSystem = /^E[A-Z0-9]+$/.test(osCode(error) ?? "") ||
    error instanceof Deno.errors.NotFound;
  if (!isSystem || !(error instanceof Error)) return error;
  return new ConfigurationError(error.message, { cause: error });
}

if (import.meta.main) {
  showUncaught("omoide-admin");
  Deno.exit(await main(Deno.args));
}
