import { CommanderError } from "commander";
import { exitCodeOf } from "../exit_codes.ts";
import { buildProgram } from "./program.ts";

/**
 * Runs one command.
 *
 * @returns the exit code; every error has become one line on standard error
 */
export async function main(args: readonly string[]): Promise<number> {
  const { program, outcome } = buildProgram();
  try {
    await program.parseAsync([...args], { from: "user" });
    return outcome.code;
  } catch (error) {
    // Commander has printed its own message or the help already; a wrong command line is its 1.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    console.error(`omoide-admin: ${error instanceof Error ? error.message : error}`);
    if (exitCodeOf(error) === 1 && error instanceof Error) console.error(error.stack);
    return exitCodeOf(error);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
