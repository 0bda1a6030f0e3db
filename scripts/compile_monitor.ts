/**
 * `deno task compile-monitor …`: the monitor as one executable, with its permissions and options baked in.
 */
import { parseMonitorOptions } from "../src/monitor/options.ts";
import { monitorNeeds, permissionFlags } from "../src/sandbox.ts";
import { refuseFile, runCompile } from "./lib/compile/run_compile.ts";

const HELP =
  `Usage: deno task compile-monitor --database URL [--listen HOST:PORT] [--password-file -]
                                 [further options of the monitor] [--output FILE] [--target TRIPLE]

Makes one executable that is the monitor: its permissions and options are baked in, so it runs with no
arguments, and can reach no other address and no file.

  --output FILE    default dist/omoide-monitor
  --target TRIPLE  such as aarch64-unknown-linux-gnu; default: this machine

All the other options are the monitor's own: deno task monitor --help. Its password comes by standard
input, which the unit omoide-monitor.service opens for it: --password-file -

The runtime is downloaded by Deno; where it cannot be, the environment variable DENORT_BIN names one.`;

await runCompile("compile-monitor", HELP, (args) => {
  const options = parseMonitorOptions(args);
  refuseFile("monitor", options.passwordFile);
  return {
    entry: "src/monitor/main.ts",
    permissions: permissionFlags(monitorNeeds(options)),
    // The page's style and script are imported as text.
    unstable: ["raw-imports"],
    args,
    output: "dist/omoide-monitor",
  };
});
