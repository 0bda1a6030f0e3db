import { scrubNeeds, workerNeeds } from "../../src/sandbox.ts";
import { parseScrubOptions } from "../../src/scrub/options.ts";
import { parseWorkerOptions } from "../../src/worker/options.ts";
import type { ProgramCommand } from "./program_command.ts";

/**
 * A page of what is owed, its groups and their receipts live for a second, in which V8 by default lets its young
 * generation grow to 48 MiB: 110 MB of memory with media of 20 KB, 86 MB with this. Processor time is the same.
 */
export const WORKER_V8_FLAGS: readonly string[] = ["--max-semi-space-size=2"];

/**
 * A worker with these options.
 *
 * @throws {UsageError} the options are wrong
 */
export function workerProgram(args: readonly string[]): ProgramCommand {
  return {
    entry: "main.ts",
    needs: workerNeeds(parseWorkerOptions(args)),
    v8Flags: WORKER_V8_FLAGS,
    args,
  };
}

/** The scrub of a storage with these options. Errors as `workerProgram`. */
export function scrubProgram(args: readonly string[]): ProgramCommand {
  return { entry: "src/scrub/main.ts", needs: scrubNeeds(parseScrubOptions(args)), args };
}
