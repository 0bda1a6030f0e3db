/**
 * The worker, and nothing else: parse, lock down, run, and turn whatever comes of it into an exit code.
 */
import { EXIT, exitCodeOf } from "./src/exit_codes.ts";
import type { ExitCode } from "./src/exit_codes.ts";
import { lockDown } from "./src/sandbox.ts";
import { runCheck } from "./src/worker/check.ts";
import { readCredentials } from "./src/worker/credentials.ts";
import { setUpLog } from "./src/worker/log.ts";
import { HelpShown, parseWorkerOptions, sandboxNeeds } from "./src/worker/options.ts";
import { runWorker } from "./src/worker/worker.ts";

async function main(args: readonly string[]): Promise<ExitCode> {
  const options = parseWorkerOptions(args);
  await lockDown(sandboxNeeds(options));
  if (options.mode === "check") return await runCheck(options);
  const log = await setUpLog(options);
  try {
    return await runWorker(options, readCredentials(options), log);
  } catch (error) {
    log.fatal("{told} (exit {code})", { told: tell(error), code: exitCodeOf(error) });
    return exitCodeOf(error);
  }
}

/** A bug is told with its stack; everything else by its message, which says how to fix it. */
function tell(error: unknown): string {
  const foreseen = error instanceof Error && exitCodeOf(error) !== EXIT.UNEXPECTED;
  return foreseen ? error.message : Deno.inspect(error);
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  if (error instanceof HelpShown) Deno.exit(EXIT.OK);
  console.error(`omoide-worker: ${tell(error)}`);
  Deno.exit(exitCodeOf(error));
}
