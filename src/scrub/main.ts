/**
 * The scrub of one storage: looks again, for ever, at what the storage has. It can read its root and report
 * to the inbox; it cannot write a byte.
 */
import type { ExitCode } from "../exit_codes.ts";
import { lockDown } from "../lock_down.ts";
import { setUpLog } from "../log.ts";
import { runLogged, runProgram } from "../run_program.ts";
import { scrubNeeds } from "../sandbox.ts";
import { readCredentials } from "../storage/credential_file.ts";
import { parseScrubOptions } from "./options.ts";
import { runScrub } from "./scrub.ts";

async function main(args: readonly string[]): Promise<ExitCode> {
  const options = parseScrubOptions(args);
  await lockDown(scrubNeeds(options));
  const log = await setUpLog(`${options.storage}-scrub`, options);
  return await runLogged(log, () => runScrub(options, readCredentials(options), log));
}

await runProgram("omoide-scrub", main);
