import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { World } from "../../lab/world.ts";

const main = fileURLToPath(new URL("../../../src/admin/main.ts", import.meta.url));

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the administrator's program as a process of its own. */
export async function admin(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs it with `--json`, and reads the result. */
export async function adminJson<T>(args: readonly string[]): Promise<Ran & { readonly result: T }> {
  const ran = await admin([...args, "--json"]);
  try {
    return { ...ran, result: JSON.parse(ran.stdout) as T };
  } catch {
    throw new Error(`no JSON from ${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  }
}

/** Runs a command that must end with this exit status. */
export async function adminExits(code: number, ...args: string[]): Promise<Ran> {
  const ran = await admin(args);
  assert.equal(ran.code, code, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran;
}

/** The option that names a world's database, as its superuser. */
export function databaseOf(world: World): string[] {
  return ["--database", world.server.url(world.database)];
}
