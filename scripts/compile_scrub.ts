/**
 * `deno task compile-scrub …`: the scrub of one storage as one executable, with its permissions and options
 * baked in.
 */
import { UsageError } from "../src/errors.ts";
import { permissionFlags, scrubNeeds } from "../src/sandbox.ts";
import { parseScrubOptions } from "../src/scrub/options.ts";
import { instanceName } from "./lib/compile/instance_name.ts";
import { type CompileHelp, type CompilePlan, runCompile } from "./lib/compile/run_compile.ts";

const HELP: CompileHelp = {
  usage: "--storage NAME --root DIR --database URL [--password-file FILE]\n" +
    "[--ca-file FILE] [further options of the scrub] [--output FILE] [--target TRIPLE]",
  makes: `that scrubs one storage: its permissions and options are baked in, so it runs with
no arguments. --once, --help and --version may be given to it when it runs.`,
  output: "dist/omoide-scrub-NAME (-INBOX-NAME if --database names a role of an inbox INBOX)",
  notes:
    `All the other options are the scrub's own: deno task scrub --help. Under the systemd unit the password
file is /run/credentials/omoide-scrub@NAME.service/password, see scripts/deploy/README.md.`,
};

function plan(args: readonly string[]): CompilePlan {
  const options = parseScrubOptions(args);
  if (options.once) {
    throw new UsageError("--once is not baked in: give it to the binary when it runs");
  }
  return {
    entry: "src/scrub/main.ts",
    permissions: permissionFlags(scrubNeeds(options)),
    args,
    output: `dist/omoide-scrub-${instanceName(options.storage, options.database.user)}`,
    nextStep: ({ path }) =>
      `Copy ${path} to the machine of the storage; see scripts/deploy/README.md`,
  };
}

await runCompile("compile-scrub", HELP, plan);
