/**
 * `deno task compile-monitor …`: the monitor as one executable, with its permissions and options baked in.
 */
import { parseMonitorOptions } from "../src/monitor/options.ts";
import { monitorNeeds } from "../src/sandbox.ts";
import { compileHttp } from "./lib/compile/compile_http.ts";

await compileHttp({
  name: "monitor",
  usage: "--database URL [--listen HOST:PORT]",
  parse: parseMonitorOptions,
  needs: monitorNeeds,
});
