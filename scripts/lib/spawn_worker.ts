import { permissionFlags } from "../../src/sandbox.ts";
import { parseWorkerOptions, sandboxNeeds } from "../../src/worker/options.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** The arguments of `deno` that run a worker from source with these options, in its sandbox. */
export function workerCommand(args: readonly string[]): string[] {
  return ["run", ...permissionFlags(sandboxNeeds(parseWorkerOptions(args))), MAIN, ...args];
}

/**
 * Starts a worker as a process of its own, from source, in its sandbox. Also what the demo and the tests
 * do, so that what they show is what a user gets.
 *
 * @throws {UsageError} the options are wrong
 */
export function spawnWorker(
  args: readonly string[],
  options: Omit<Deno.CommandOptions, "args">,
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), { ...options, args: workerCommand(args) }).spawn();
}
