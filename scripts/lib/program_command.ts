import { permissionFlags, type SandboxNeeds } from "../../src/sandbox.ts";

/** How a program of this project is started from source, in its sandbox. */
export interface ProgramCommand {
  /** Relative to the project. */
  readonly entry: string;
  readonly needs: SandboxNeeds;
  readonly args: readonly string[];
  /** Features of the runtime that are off unless named, such as `raw-imports`. */
  readonly unstable?: readonly string[];
}

/** The arguments of `deno` for it. Also what the demo and the tests use: what they show is what a user gets. */
export function denoArguments({ entry, needs, args, unstable = [] }: ProgramCommand): string[] {
  return [
    "run",
    ...unstable.map((each) => `--unstable-${each}`),
    ...permissionFlags(needs),
    new URL(`../../${entry}`, import.meta.url).pathname,
    ...args,
  ];
}
