import { denoArguments } from "./program_command.ts";
import { workerProgram } from "./programs.ts";

/** The arguments of `deno` that run a worker from source with these options, in its sandbox. */
export function workerCommand(args: readonly string[]): string[] {
  return denoArguments(workerProgram(args));
}

/**
 * Starts a worker as a process of its own, from source, in its sandbox.
 *
 * @throws {UsageError} the options are wrong
 */
export function spawnWorker(
  args: readonly string[],
  options: Omit<Deno.CommandOptions, "args">,
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), { ...options, args: workerCommand(args) }).spawn();
}
