/**
 * `deno task worker …`: runs main.ts from source under exactly the permissions that a compiled worker
 * has baked in. The permissions follow from the options, which is why a launcher stands before it.
 */
import { messageOf } from "../src/errors.ts";
import { EXIT, exitCodeOf } from "../src/exit_codes.ts";
import { HelpShown, parseWorkerOptions } from "../src/worker/options.ts";
import { spawnWorker } from "./lib/spawn_worker.ts";

try {
  parseWorkerOptions(Deno.args);
} catch (error) {
  if (error instanceof HelpShown) Deno.exit(EXIT.OK);
  console.error(`omoide-worker: ${messageOf(error)}`);
  Deno.exit(exitCodeOf(error));
}

const child = spawnWorker(Deno.args, { stdin: "inherit", stdout: "inherit", stderr: "inherit" });
// Ctrl-C reaches the worker by itself, being in the terminal's group too; a second one would have it leave
// without finishing what is open.
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
const status = await child.status;
Deno.exit(status.code);
