/**
 * `deno task compile …`: one worker as one executable, with its permissions and options baked in.
 */
import { UsageError } from "../src/errors.ts";
import { permissionFlags, workerNeeds } from "../src/sandbox.ts";
import { parseWorkerOptions, type WorkerOptions } from "../src/worker/options.ts";
import { WORKER_V8_FLAGS } from "./lib/programs.ts";
import { instanceName } from "./lib/compile/instance_name.ts";
import { type CompileHelp, type CompilePlan, runCompile } from "./lib/compile/run_compile.ts";

const HELP: CompileHelp = {
  usage: "--storage NAME --root DIR --database URL [--password-file FILE]\n" +
    "[--ca-file FILE] [further worker options] [--output FILE] [--target TRIPLE]",
  makes: `that is one worker: its permissions and options are baked in, so it runs with no
arguments, and has no way to any other root or database. --once, --check, --help and --version may be
given to it when it runs.`,
  output: "dist/omoide-worker-NAME (-INBOX-NAME if --database names a role omoide_INBOX_NAME)",
  notes:
    `All the other options are the worker's own: deno task worker --help. Under the systemd unit the password
file is /run/credentials/omoide-worker@NAME.service/password, see scripts/deploy/README.md.`,
};

function plan(args: readonly string[]): CompilePlan {
  const options = parseWorkerOptions(args);
  if (options.mode !== "serve") {
    throw new UsageError(
      "--once and --check are not baked in: give them to the binary when it runs",
    );
  }
  return {
    entry: "main.ts",
    permissions: permissionFlags(workerNeeds(options)),
    v8Flags: WORKER_V8_FLAGS,
    args,
    output: `dist/omoide-worker-${instanceName(options.storage, options.database.user)}`,
    nextStep: ({ path }) => nextStep(options, path),
  };
}

function nextStep({ storage, root, database, passwordFile }: WorkerOptions, path: string): string {
  const instance = instanceName(storage, database.user);
  const credential = `/run/credentials/omoide-worker@${instance}.service/password`;
  const hint = passwordFile === credential
    ? ""
    : `\nFor the systemd unit it wants --password-file ${credential}`;
  const addresses = [...new Set(database.hosts.map(({ host }) => host))].join(",");
  return `On the machine of the storage, with the directory scripts/deploy beside it:
  sh deploy/install.sh ${instance} --root ${root} --database-address ${addresses} \\
    --binary ${path.split("/").at(-1)} --password-file FILE${hint}`;
}

await runCompile("compile", HELP, plan);
