/** `deno task worker …`: the worker from source, in its sandbox. */
import { launch } from "./lib/launch.ts";
import { workerProgram } from "./lib/programs.ts";

await launch("omoide-worker", workerProgram);
