import { EXIT, exitCodeOf } from "../../../src/exit_codes.ts";
import { showFailure } from "../../../src/run_program.ts";
import { printError } from "../../../src/terminal.ts";
import { HelpShown } from "../../../src/command_line.ts";
import { takeBuildOptions } from "./build_options.ts";
import { type Compilation, compile, type Compiled, CompileError, show } from "./compile.ts";

/** What a `deno task compile-…` makes of a command line, without the build's own options. */
export interface CompilePlan extends Omit<Compilation, "output" | "target"> {
  /** Where the binary goes unless `--output` says otherwise. */
  readonly output: string;
  /** What to do with it, for people; said after what was baked. */
  readonly nextStep?: (compiled: Compiled) => string;
}

/** What a `deno task compile-…` says of itself. */
export interface CompileHelp {
  /** The options that must be given, and those of the program in words. */
  readonly usage: string;
  readonly makes: string;
  /** Where the binary goes by default. */
  readonly output: string;
  /** Where the other options are listed, and where the password comes from. */
  readonly notes?: string;
}

function helpText(name: string, { usage, makes, output, notes }: CompileHelp): string {
  const begin = `Usage: deno task ${name} `;
  return `${begin}${usage.replaceAll("\n", `\n${" ".repeat(begin.length)}`)}

Makes one executable ${makes}

  --output FILE    default ${output}
  --target TRIPLE  such as aarch64-unknown-linux-gnu; default: this machine
${notes === undefined ? "" : `\n${notes}\n`}
The runtime is downloaded by Deno; where it cannot be, the environment variable DENORT_BIN names one.`;
}

/**
 * Runs one of the compiling tasks: takes `--output` and `--target` out of the command line, makes the
 * binary, says what was baked in, and ends the process.
 *
 * @param name of the task
 * @param plan reads the program's own options. Errors as `parseCommandLine`
 */
export async function runCompile(
  name: string,
  help: CompileHelp,
  plan: (args: readonly string[]) => CompilePlan,
): Promise<never> {
  try {
    if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
      console.log(helpText(name, help));
      Deno.exit(EXIT.OK);
    }
    const { build, rest } = takeBuildOptions(Deno.args);
    const { nextStep, ...compilation } = plan(rest);
    const compiled = await compile({ ...compilation, ...build });
    console.log(show(compiled));
    if (nextStep !== undefined) console.log(`\n${nextStep(compiled)}`);
    Deno.exit(EXIT.OK);
  } catch (error) {
    if (error instanceof HelpShown) Deno.exit(EXIT.OK);
    if (error instanceof CompileError) printError(`${name}: ${error.message}`);
    else showFailure(name, error);
    Deno.exit(exitCodeOf(error));
  }
}
