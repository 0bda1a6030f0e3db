/**
 * `deno task compile-admin …`: the administrator's tools as one executable, for machines without Deno.
 */
import { EXIT, exitCodeOf } from "../src/exit_codes.ts";
import { UsageError } from "../src/errors.ts";
import { takeBuildOptions } from "./lib/compile/build_options.ts";
import { compile, CompileError, show } from "./lib/compile/compile.ts";

const HELP = `Usage: deno task compile-admin [--output FILE] [--target TRIPLE]

Makes one executable of the administrator's tools (deno task admin).

  --output FILE    default dist/omoide-admin
  --target TRIPLE  such as aarch64-unknown-linux-gnu; default: this machine`;

/**
 * Any storage and any database may be named on its command line, so they are not baked in; each command
 * drops what it has no use for. None runs another program, loads a library or fetches a module.
 */
const PERMISSIONS = [
  "--no-prompt",
  "--no-remote",
  "--cached-only",
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-sys",
];

try {
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
    console.log(HELP);
    Deno.exit(EXIT.OK);
  }
  const { build, rest } = takeBuildOptions(Deno.args);
  if (rest.length > 0) {
    throw new UsageError(`unknown argument ${rest[0]}; --help lists the options`);
  }
  const compiled = await compile({
    entry: "src/admin/main.ts",
    includes: ["src/storage/admin/hash_worker.ts"],
    permissions: PERMISSIONS,
    // The schema's SQL files are imported as text.
    unstable: ["raw-imports"],
    args: [],
    output: build.output ?? "dist/omoide-admin",
    ...(build.target === undefined ? {} : { target: build.target }),
  });
  console.log(show(compiled));
} catch (error) {
  const foreseen = error instanceof CompileError || exitCodeOf(error) !== EXIT.UNEXPECTED;
  console.error(
    `compile-admin: ${foreseen && error instanceof Error ? error.message : Deno.inspect(error)}`,
  );
  Deno.exit(exitCodeOf(error));
}
