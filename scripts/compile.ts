/**
 * `deno task compile …`: one worker as one executable, with its permissions and options baked in.
 */
import { EXIT, exitCodeOf } from "../src/exit_codes.ts";
import { UsageError } from "../src/errors.ts";
import { permissionFlags } from "../src/sandbox.ts";
import {
  HelpShown,
  parseWorkerOptions,
  sandboxNeeds,
  type WorkerOptions,
} from "../src/worker/options.ts";
import { compile, CompileError, show } from "./lib/compile/compile.ts";
import { takeBuildOptions } from "./lib/compile/build_options.ts";

const HELP =
  `Usage: deno task compile --storage NAME --root DIR --database URL [--password-file FILE]
                         [--ca-file FILE] [further worker options] [--output FILE] [--target TRIPLE]

Makes one executable that is one worker: its permissions and options are baked in, so it runs with no
arguments, and has no way to any other root or database. --once, --check, --help and --version may be
given to it when it runs.

  --output FILE    default dist/omoide-worker-NAME
  --target TRIPLE  such as aarch64-unknown-linux-gnu; default: this machine

All the other options are the worker's own: deno task worker --help. Under the systemd unit the password
file is /run/credentials/omoide-worker@NAME.service/password, see the README.

The runtime is downloaded by Deno; where it cannot be, the environment variable DENORT_BIN names one.`;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(HELP);
    throw new HelpShown();
  }
  const { build, rest } = takeBuildOptions(args);
  const options = parseWorkerOptions(rest);
  if (options.mode !== "serve") {
    throw new UsageError(
      "--once and --check are not baked in: give them to the binary when it runs",
    );
  }
  const compiled = await compile({
    entry: "main.ts",
    permissions: permissionFlags(sandboxNeeds(options)),
    args: rest,
    output: build.output ?? `dist/omoide-worker-${options.storage}`,
    ...(build.target === undefined ? {} : { target: build.target }),
  });
  console.log(show(compiled));
  console.log(`\n${nextStep(options, compiled.path)}`);
}

function nextStep({ storage, root, database, passwordFile }: WorkerOptions, path: string): string {
  const credential = `/run/credentials/omoide-worker@${storage}.service/password`;
  const hint = passwordFile === credential
    ? ""
    : `\nFor the systemd unit it wants --password-file ${credential}`;
  return `On the machine of the storage, with the directory scripts/deploy beside it:
  sh deploy/install.sh ${storage} --root ${root} --database-address ${database.host} \\
    --binary ${path.split("/").at(-1)} --password-file FILE${hint}`;
}

try {
  await main(Deno.args);
} catch (error) {
  if (error instanceof HelpShown) Deno.exit(EXIT.OK);
  const foreseen = error instanceof CompileError || exitCodeOf(error) !== EXIT.UNEXPECTED;
  console.error(
    `compile: ${foreseen && error instanceof Error ? error.message : Deno.inspect(error)}`,
  );
  Deno.exit(exitCodeOf(error));
}
