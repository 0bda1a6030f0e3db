/**
 * The monitor: answers "is everything safe?" over HTTP. It listens, looks into one inbox as
 * the monitor's role, and has no file permission at all.
 */
import type { ExitCode } from "../exit_codes.ts";
import { lockDown } from "../lock_down.ts";
import { setUpLog } from "../log.ts";
import { runLogged, runProgram } from "../run_program.ts";
import { monitorNeeds } from "../sandbox.ts";
import { readGivenCredentials } from "../standard_input.ts";
import { parseMonitorOptions } from "./options.ts";
import { runMonitor } from "./run.ts";

async function main(args: readonly string[]): Promise<ExitCode> {
  const options = parseMonitorOptions(args);
  await lockDown(monitorNeeds(options));
  const credentials = readGivenCredentials("monitor", options.passwordFile);
  const log = await setUpLog("monitor", options);
  return await runLogged(log, () => runMonitor(options, credentials, log));
}

await runProgram("omoide-monitor", main);
