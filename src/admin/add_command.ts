import { type Command, Option } from "commander";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import type { AdminCommand, OptionSpec } from "./command.ts";

/** Exit statuses that every command has. */
const ALWAYS: Partial<Record<ExitCode, string>> = {
  [EXIT.OK]: "done",
  [EXIT.UNEXPECTED]: "unexpected error: report it",
  [EXIT.USAGE]: "the command line is wrong; nothing was done",
  [EXIT.TRY_AGAIN]: "the database is out of reach, or a worker holds the storage",
  [EXIT.CONFIGURATION]: "an administrator must act; the message says how",
  [EXIT.INTERRUPTED]: "stopped by a signal; run it again to continue",
  [EXIT.READER_GONE]: "the reader of the output has gone (| head)",
};

/** Adds a command to its group. @param onEnd is given the exit code, if it is the one that runs */
export function addCommand(
  group: Command,
  added: AdminCommand,
  onEnd: (code: ExitCode) => void,
): void {
  const { description: spec } = added;
  const command = group.command(spec.usage, { hidden: spec.hidden === true })
    .summary(spec.summary).description(spec.description);
  for (const option of spec.options) command.addOption(optionOf(option));
  command.option("--json", "print the result as one JSON value");
  for (const [n, read] of (spec.readArguments ?? []).entries()) {
    const argument = command.registeredArguments[n];
    argument?.argParser<string | string[]>((text, before) =>
      argument.variadic ? [...(before ?? []), read(text)] : read(text)
    );
  }
  command.addHelpText("after", afterHelp(spec.examples, { ...ALWAYS, ...spec.exits }));
  command.action(async () => {
    const args: string[] = command.processedArgs.flat().filter((each) => each !== undefined);
    onEnd(await added.start(args, command.opts<{ json?: boolean }>()));
  });
}

function optionOf([flags, explanation, parse, fallback]: OptionSpec): Option {
  const isRequired = flags.startsWith("!");
  const option = new Option(isRequired ? flags.slice(1) : flags, explanation);
  if (isRequired) option.makeOptionMandatory();
  if (parse !== undefined) option.argParser((text) => parse(text));
  if (fallback !== undefined) option.default(parse?.(fallback) ?? fallback, fallback);
  return option;
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
