import { scrubNeeds, workerNeeds } from "../../src/sandbox.ts";
import { parseScrubOptions } from "../../src/scrub/options.ts";
import { parseWorkerOptions } from "../../src/worker/options.ts";
import type { ProgramCommand } from "./program_command.ts";

/**
 * A worker with these options.
 *
 * @throws {UsageError} the options are wrong
 */
export function workerProgram(args: readonly string[]): ProgramCommand {
  return { entry: "main.ts", needs: workerNeeds(parseWorkerOptions(args)), args };
}

/** The scrub of a storage with these options. Errors as `workerProgram`. */
export function scrubProgram(args: readonly string[]): ProgramCommand {
  return { entry: "src/scrub/main.ts", needs: scrubNeeds(parseScrubOptions(args)), args };
}
