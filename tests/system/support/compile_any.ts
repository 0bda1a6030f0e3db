/** Compiles what its only argument says, by the Deno that runs this. */
import { type Compilation, compile } from "../../../scripts/lib/compile/compile.ts";

await compile(JSON.parse(Deno.args[0] ?? "") as Compilation);
