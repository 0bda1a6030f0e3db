import { HelpShown } from "../../src/command_line.ts";
import { EXIT, exitCodeOf } from "../../src/exit_codes.ts";
import { showFailure } from "../../src/run_program.ts";
import { denoArguments, type ProgramCommand } from "./program_command.ts";

/** What a launcher starts, and what the program is given by standard input. */
export interface Launch extends ProgramCommand {
  /** The launcher's own standard input where absent. */
  readonly stdin?: string;
}

/**
 * Runs a program from source under exactly the permissions that the compiled one has baked in, passes
 * signals on, and ends as it ends. The permissions follow from the options, which is why a launcher
 * stands before it.
 *
 * @param plan reads the command line. Errors as `parseCommandLine`
 */
export async function launch(
  name: string,
  plan: (args: readonly string[]) => Launch,
): Promise<never> {
  const child = spawn(name, plan);
  // Ctrl-C reaches the program by itself, being in the terminal's group too; a second one would have it
  // leave without finishing what is open.
  const hasCtrlC = Deno.stdin.isTerminal();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      if (signal === "SIGINT" && hasCtrlC) return;
      try {
        child.kill(signal);
      } catch {
        // It has ended already; its status comes below.
      }
    });
  }
  const { code } = await child.status;
  Deno.exit(code);
}

function spawn(name: string, plan: (args: readonly string[]) => Launch): Deno.ChildProcess {
  try {
    const launched = plan(Deno.args);
    const child = new Deno.Command(Deno.execPath(), {
      args: denoArguments(launched),
      stdin: launched.stdin === undefined ? "inherit" : "piped",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    if (launched.stdin !== undefined) give(child, launched.stdin);
    return child;
  } catch (error) {
    if (error instanceof HelpShown) Deno.exit(EXIT.OK);
    showFailure(name, error);
    Deno.exit(exitCodeOf(error));
  }
}

/** A program that ended before it read says why by its status. */
export function give(child: Deno.ChildProcess, text: string): void {
  const writer = child.stdin.getWriter();
  writer.write(new TextEncoder().encode(text)).then(() => writer.close()).catch(() => {});
}
