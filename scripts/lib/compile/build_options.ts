import { UsageError } from "../../../src/errors.ts";

/** The options of a compilation, which are not the program's. */
export interface BuildOptions {
  readonly output?: string;
  readonly target?: string;
}

/**
 * Takes `--output FILE` and `--target TRIPLE` out of a command line.
 *
 * @returns them, and the rest untouched
 * @throws {UsageError} given twice, or without a value
 */
export function takeBuildOptions(
  args: readonly string[],
): { readonly build: BuildOptions; readonly rest: readonly string[] } {
  const build: { output?: string; target?: string } = {};
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [, name, inline] = /^--(output|target)(?:=(.*))?$/.exec(args[i] ?? "") ?? [];
    if (name !== "output" && name !== "target") {
      rest.push(args[i] ?? "");
      continue;
    }
    const value = inline ?? args[++i];
    if (value === undefined || value === "") throw new UsageError(`--${name} takes a value`);
    if (build[name] !== undefined) throw new UsageError(`--${name} was given twice`);
    build[name] = value;
  }
  return { build, rest };
}
