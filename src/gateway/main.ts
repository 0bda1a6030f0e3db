/**
 * The gateway: what a web application does with an inbox, and no more. It listens, talks to one database
 * as the application's role, and has no file permission at all.
 */
import type { ExitCode } from "../exit_codes.ts";
import { lockDown } from "../lock_down.ts";
import { setUpLog } from "../log.ts";
import { runLogged, runProgram } from "../run_program.ts";
import { gatewayNeeds } from "../sandbox.ts";
import { readGivenCredentials } from "../standard_input.ts";
import { parseGatewayOptions } from "./options.ts";
import { runGateway } from "./run.ts";

async function main(args: readonly string[]): Promise<ExitCode> {
  const options = parseGatewayOptions(args);
  await lockDown(gatewayNeeds(options));
  const credentials = readGivenCredentials("gateway", options.passwordFile);
  const log = await setUpLog("gateway", options);
  return await runLogged(log, () => runGateway(options, credentials, log));
}

await runProgram("omoide-gateway", main);
