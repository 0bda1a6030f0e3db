import { Command } from "commander";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import { Console } from "./console.ts";
import { untilInterrupted } from "./interrupt.ts";
import { drop, type Need } from "./permissions.ts";

/** What a command works with. */
export class Context {
  readonly console: Console;
  #signal: AbortSignal | null = null;

  constructor(json: boolean) {
    this.console = new Console(json);
  }

  /**
   * Aborted when the administrator presses Ctrl-C. Only from when it is first asked for: a command that
   * never looks at it ends at once, as any program does.
   */
  get signal(): AbortSignal {
    return this.#signal ??= untilInterrupted();
  }
}

type Action<Options> = (
  args: readonly string[],
  options: Options,
  context: Context,
) => Promise<ExitCode>;

/** A command as its file describes it. */
export interface Spec<Options> {
  /** Name and arguments, as in `verify <root>`. */
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs of `--help` above the options. */
  readonly description: string;
  /** Flags, explanation, and the default where there is one. */
  readonly options: readonly (readonly [flags: string, explanation: string, fallback?: string])[];
  readonly examples: readonly string[];
  /** Exit statuses that mean something particular here, beside those every command has. */
  readonly exits?: Partial<Record<ExitCode, string>>;
  readonly need: Need;
  readonly run: Action<Options>;
}

/** Every command that talks to the inbox takes it by this option. */
export const DATABASE = [
  "!--database <url>",
  "a superuser's postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE; PGPASSWORD is read too",
] as const;

/** Every command that takes something away is a dry run without it. */
export const YES = ["--yes", "do it; without it, only show what would be done"] as const;

const ALWAYS: Partial<Record<ExitCode, string>> = {
  [EXIT.OK]: "done",
  [EXIT.UNEXPECTED]: "unexpected error: report it",
  [EXIT.USAGE]: "the command line is wrong; nothing was done",
  [EXIT.TRY_AGAIN]: "the database is out of reach, or a worker holds the storage",
  [EXIT.CONFIGURATION]: "an administrator must act; the message says how",
  [EXIT.INTERRUPTED]: "stopped by a signal; run it again to continue",
  [EXIT.READER_GONE]: "the reader of the output has gone (| head)",
};

/** How a command's end reaches `main`. */
export interface Outcome {
  code: ExitCode;
}

/** Adds a command to its group. */
export function addCommand<Options>(group: Command, outcome: Outcome, spec: Spec<Options>): void {
  const command = group.command(spec.usage).summary(spec.summary).description(spec.description);
  for (const [flags, explanation, fallback] of spec.options) {
    const required = flags.startsWith("!");
    const plain = required ? flags.slice(1) : flags;
    if (required) command.requiredOption(plain, explanation);
    else if (fallback === undefined) command.option(plain, explanation);
    else command.option(plain, explanation, fallback);
  }
  command.option("--json", "print the result as one JSON value");
  command.addHelpText("after", afterHelp(spec.examples, { ...ALWAYS, ...spec.exits }));
  command.action(async () => {
    const options = command.opts<Options & { json?: boolean }>();
    drop(spec.need);
    const context = new Context(options.json === true);
    try {
      outcome.code = await spec.run(command.args, options, context);
    } finally {
      context.console.clear();
    }
  });
}

function afterHelp(examples: readonly string[], exits: Partial<Record<ExitCode, string>>): string {
  const statuses = Object.entries(exits)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`);
  return [
    "",
    "Examples:",
    ...examples.map((example) => `  ${example}`),
    "",
    "Exit status:",
    ...statuses,
  ].join("\n");
}
