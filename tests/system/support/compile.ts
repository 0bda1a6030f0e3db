import type { Compilation } from "../../../scripts/lib/compile/compile.ts";
import type { BaseRuntime } from "../../support/denort.ts";

const WORKER = new URL("../../../scripts/compile.ts", import.meta.url).pathname;
const ANY = new URL("compile_any.ts", import.meta.url).pathname;

/** `deno task compile`, as an administrator types it. */
export async function compileWorker(
  runtime: BaseRuntime | null,
  options: readonly string[],
  output: string,
): Promise<void> {
  await runScript(runtime, WORKER, [...options, "--output", output]);
}

/** Compiles another program in the same way, such as an intruder with a worker's permissions. */
export async function compileProgram(
  runtime: BaseRuntime | null,
  compilation: Compilation,
): Promise<void> {
  await runScript(runtime, ANY, [JSON.stringify(compilation)]);
}

/** By the Deno that the base runtime belongs to, which need not be the one that runs the tests. */
async function runScript(
  runtime: BaseRuntime | null,
  script: string,
  args: readonly string[],
): Promise<void> {
  if (runtime === null) throw new Error("there is no base runtime");
  const { success, stderr } = await new Deno.Command(runtime.deno, {
    args: ["run", "-A", "--no-check", script, ...args],
    env: { DENORT_BIN: runtime.denort, NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
