/**
 * The program is started with every permission, since some of its commands need them. Each command
 * begins by dropping what it has no use for; there is no way back.
 *
 * - `look`: reads files only. Not one byte is written, wherever the bug.
 * - `ask`: talks to the database only, and reads files.
 * - `run`: as `ask`, and starts the program that the administrator names.
 * - `change`: writes files and talks to the database.
 */
export type Need = "look" | "ask" | "run" | "change";

const DROPPED: Record<Need, readonly (Deno.PermissionName | "import")[]> = {
  look: ["net", "write", "run", "ffi", "import"],
  ask: ["write", "run", "ffi", "import"],
  run: ["write", "ffi", "import"],
  change: ["run", "ffi", "import"],
};

export function drop(need: Need): void {
  for (const name of DROPPED[need]) {
    // Deno's types do not know `import` yet; its runtime does.
    Deno.permissions.revokeSync({ name } as Deno.PermissionDescriptor);
  }
}
