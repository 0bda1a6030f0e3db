/**
 * `deno task demo`: the whole system at work on a real PostgreSQL. Files are submitted by the
 * application's role, two workers in their sandboxes carry them into two storages, and at the end every
 * file in both is read again and compared with what was submitted.
 */
import { Command, CommanderError } from "commander";
import { messageOf } from "../src/errors.ts";
import { printError } from "../src/terminal.ts";
import { runDemo } from "./demo/run.ts";
import { serveDemo } from "./demo/serve.ts";

const program = new Command("demo")
  .description("Shows the whole system at work, on an embedded PostgreSQL.")
  .option("--files <dir>", "submit the files of this folder; without, generated pictures")
  .option("--keep <dir>", "keep the storages and the database there; an empty or new directory")
  .option("--serve", "a running archive with a page to upload to, until Ctrl-C")
  .allowExcessArguments(false)
  .exitOverride()
  .addHelpText(
    "after",
    `
Exit statuses:
  0  every file is in both storages, proven by reading it again; --serve: stopped
  1  something is not as it should be; the last lines say what
  2  the command line is wrong

Examples:
  deno task demo
  deno task demo --files ~/Pictures
  deno task demo --keep /tmp/omoide
  deno task demo --serve`,
  );

try {
  program.parse(Deno.args, { from: "user" });
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  Deno.exit(error.exitCode === 0 ? 0 : 2);
}
const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(name, () => interrupt.abort(new Error("interrupted")));
}
try {
  const { files, keep, serve } = program.opts<{ files?: string; keep?: string; serve?: boolean }>();
  if (serve) {
    if (files !== undefined) throw new Error("--files is for the demo without --serve");
    await serveDemo(keep, interrupt.signal);
    Deno.exit(0);
  }
  Deno.exit(await runDemo({ files, keep }, interrupt.signal) ? 0 : 1);
} catch (error) {
  printError(`demo: ${messageOf(error)}`);
  Deno.exit(1);
}
