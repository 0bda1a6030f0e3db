/**
 * `deno task compile-admin …`: the administrator's tools as one executable, for machines without Deno.
 */
import { UsageError } from "../src/errors.ts";
import { type CompileHelp, runCompile } from "./lib/compile/run_compile.ts";

const HELP: CompileHelp = {
  usage: "[--output FILE] [--target TRIPLE]",
  makes: "of the administrator's tools (deno task admin).",
  output: "dist/omoide-admin",
};

/**
 * Any storage and any database may be named on its command line, so they are not baked in; each command
 * drops what it has no use for. What root needs to become a tree's owner is in here too: one library
 * (libc, for setresuid) and one program (this one again, to read a second tree as its owner). `storage init`
 * starts `cat`, which may read what is mounted. Nothing fetches a module.
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
  "--allow-ffi",
  "--allow-run",
];

await runCompile("compile-admin", HELP, (args) => {
  if (args.length > 0) {
    throw new UsageError(`unknown argument ${args[0]}; --help lists the options`);
  }
  return {
    entry: "src/admin/main.ts",
    includes: ["src/storage/admin/hash_worker.ts"],
    permissions: PERMISSIONS,
    // The schema's SQL files are imported as text.
    unstable: ["raw-imports"],
    args: [],
    output: "dist/omoide-admin",
  };
});
