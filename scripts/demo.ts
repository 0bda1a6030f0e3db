/**
 * `deno task demo`: the whole system at work on a real PostgreSQL. Files are submitted by the
 * application's role, two workers in their sandboxes carry them into two storages, and at the end every
 * file in both is read again and compared with what was submitted.
 */
import { Command, CommanderError } from "commander";
import { messageOf } from "../src/errors.ts";
import { printError } from "../src/terminal.ts";
import { runDemo } from "./demo/run.ts";

const program = new Command("demo")
  .description("Shows the whole system at work, on an embedded PostgreSQL.")
  .option("--files <dir>", "submit the files of this folder; without, generated pictures")
  .option("--keep <dir>", "keep the storages and the database there; an empty or new directory")
  .allowExcessArguments(false)
  .exitOverride()
  .addHelpText(
    "after",
    `
Exit statuses:
  0  every file is in both storages, proven by reading it again
  1  something is not as it should be; the last lines say what
  2  the command line is wrong

Examples:
  deno task demo
  deno task demo --files ~/Pictures
  deno task demo --keep /tmp/omoide`,
  );

try {
  program.parse(Deno.args, { from: "user" });
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  Deno.exit(error.exitCode === 0 ? 0 : 2);
}
const interrupt = new AbortController();
Deno.addSignalListener("SIGINT", () => interrupt.abort(new Error("interrupted")));
try {
  const { files, keep } = program.opts<{ files?: string; keep?: string }>();
  Deno.exit(await runDemo({ files, keep }, interrupt.signal) ? 0 : 1);
} catch (error) {
  printError(`demo: ${messageOf(error)}`);
  Deno.exit(1);
}
