import { permissionFlags, type SandboxNeeds } from "../../src/sandbox.ts";

/** How a program of this project is started from source, in its sandbox. */
export interface ProgramCommand {
  /** Relative to the project. */
  readonly entry: string;
  readonly needs: SandboxNeeds;
  readonly args: readonly string[];
  /** Features of the runtime that are off unless named, such as `raw-imports`. */
  readonly unstable?: readonly string[];
  /** Of the JavaScript engine, such as `--optimize-for-size`. None of them grants anything. */
  readonly v8Flags?: readonly string[];
}

/** The arguments of `deno` for it. Also what the demo and the tests use: what they show is what a user gets. */
export function denoArguments(
  { entry, needs, args, unstable = [], v8Flags = [] }: ProgramCommand,
): string[] {
  return [
    "run",
    ...v8Arguments(v8Flags),
    ...unstable.map((each) => `--unstable-${each}`),
    ...permissionFlags(needs),
    new URL(`../../${entry}`, import.meta.url).pathname,
    ...args,
  ];
}

/** As `deno run` and `deno compile` take them. */
export function v8Arguments(flags: readonly string[]): string[] {
  return flags.length === 0 ? [] : [`--v8-flags=${flags.join(",")}`];
}
