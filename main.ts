/**
 * The worker, and nothing else: parse, lock down, run, and turn whatever comes of it into an exit code.
 */
import type { ExitCode } from "./src/exit_codes.ts";
import { lockDown } from "./src/lock_down.ts";
import { setUpLog } from "./src/log.ts";
import { runLogged, runProgram } from "./src/run_program.ts";
import { workerNeeds } from "./src/sandbox.ts";
import { runCheck } from "./src/worker/check.ts";
import { parseWorkerOptions } from "./src/worker/options.ts";
import { runWorker } from "./src/worker/worker.ts";

async function main(args: readonly string[]): Promise<ExitCode> {
  const options = parseWorkerOptions(args);
  await lockDown(workerNeeds(options));
  if (options.mode === "check") return await runCheck(options);
  const log = await setUpLog(options.storage, options);
  return await runLogged(log, () => runWorker(options, log));
}

await runProgram("omoide-worker", main);
