/** Locks down as main.ts does, for the needs in its argument, and tells what is left. */
import { messageOf } from "../../src/errors.ts";
import { exitCodeOf } from "../../src/exit_codes.ts";
import { lockDown } from "../../src/lock_down.ts";
import type { SandboxNeeds } from "../../src/sandbox.ts";

try {
  await lockDown(JSON.parse(Deno.args[0] ?? "{}") as SandboxNeeds);
} catch (error) {
  console.error(messageOf(error));
  Deno.exit(exitCodeOf(error));
}
const left: Record<string, string> = {};
for (const name of ["import", "run", "ffi"] as const) {
  left[name] = (await Deno.permissions.query({ name })).state;
}
console.log(JSON.stringify(left));
