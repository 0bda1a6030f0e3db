import { HelpShown } from "./command_line.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit_codes.ts";

/** Runs a program, and ends the process with the exit code that comes of it. */
export async function runProgram(
  name: string,
  main: (args: readonly string[]) => Promise<ExitCode>,
): Promise<never> {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (error instanceof HelpShown) Deno.exit(EXIT.OK);
    console.error(`${name}: ${describeError(error)}`);
    Deno.exit(exitCodeOf(error));
  }
}

/** A bug is shown with its stack; everything else by its message, which says how to fix it. */
export function describeError(error: unknown): string {
  const foreseen = error instanceof Error && exitCodeOf(error) !== EXIT.UNEXPECTED;
  return foreseen ? error.message : Deno.inspect(error);
}
