/** `deno task scrub …`: a storage's scrub from source, in its sandbox. */
import { launch } from "./lib/launch.ts";
import { scrubProgram } from "./lib/programs.ts";

await launch("omoide-scrub", scrubProgram);
