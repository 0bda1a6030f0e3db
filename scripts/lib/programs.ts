import { workerNeeds } from "../../src/sandbox.ts";
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
