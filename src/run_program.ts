import { HelpShown } from "./command_line.ts";
import { ReaderGoneError } from "./errors.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit_codes.ts";
import type { Logger } from "./log.ts";
import { printBug, printError, showUncaught } from "./terminal.ts";

/** Runs a program, and ends the process with the exit code that comes of it. */
export async function runProgram(
  name: string,
  main: (args: readonly string[]) => Promise<ExitCode>,
): Promise<never> {
  showUncaught(name);
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (error instanceof HelpShown) Deno.exit(EXIT.OK);
    showFailure(name, error);
    Deno.exit(exitCodeOf(error));
  }
}

/** Runs what a program with a log is for. What ends it before its time is the log's last line. */
export async function runLogged(log: Logger, work: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await work();
  } catch (error) {
    const code = exitCodeOf(error);
    log.fatal("{message} (exit {code})", { message: describeError(error), code });
    return code;
  }
}

/** Says on standard error why a program ends; nothing where nobody reads it. */
export function showFailure(name: string, error: unknown): void {
  if (error instanceof ReaderGoneError) return;
  (isForeseen(error) ? printError : printBug)(`${name}: ${describeError(error)}`);
}

/** A bug is shown with its stack; everything else by its message, which says how to fix it. */
export function describeError(error: unknown): string {
  return isForeseen(error) ? error.message : Deno.inspect(error);
}

function isForeseen(error: unknown): error is Error {
  return error instanceof Error && exitCodeOf(error) !== EXIT.UNEXPECTED;
}
