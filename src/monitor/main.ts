/**
 * The monitor: answers "is everything safe?" over HTTP. It listens, looks into one inbox as
 * the monitor's role, and has no file permission at all.
 */
import { EXIT, type ExitCode, exitCodeOf } from "../exit_codes.ts";
import { lockDown } from "../lock_down.ts";
import { setUpLog } from "../log.ts";
import { describeError, runProgram } from "../run_program.ts";
import { monitorNeeds } from "../sandbox.ts";
import { readGivenCredentials } from "../standard_input.ts";
import { parseMonitorOptions } from "./options.ts";
import { runMonitor } from "./run.ts";

async function main(args: readonly string[]): Promise<ExitCode> {
  const options = parseMonitorOptions(args);
  await lockDown(monitorNeeds(options));
  const credentials = readGivenCredentials("monitor", options.passwordFile);
  const log = await setUpLog("monitor", options);
  try {
    await runMonitor(options, credentials, log);
    return EXIT.OK;
  } catch (error) {
    log.fatal("{message} (exit {code})", {
      message: describeError(error),
      code: exitCodeOf(error),
    });
    return exitCodeOf(error);
  }
}

await runProgram("omoide-monitor", main);
