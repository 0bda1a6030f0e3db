/**
 * `deno task compile-gateway …`: the gateway as one executable, with its permissions and options baked in.
 */
import { parseGatewayOptions } from "../src/gateway/options.ts";
import { gatewayNeeds, permissionFlags } from "../src/sandbox.ts";
import { GATEWAY_V8_FLAGS } from "./lib/http_launch.ts";
import { refuseFile, runCompile } from "./lib/compile/run_compile.ts";

const HELP = `Usage: deno task compile-gateway --listen HOST:PORT --database URL [--password-file -]
                                 [further options of the gateway] [--output FILE] [--target TRIPLE]

Makes one executable that is the gateway: its permissions and options are baked in, so it runs with no
arguments, and can reach no other address and no file.

  --output FILE    default dist/omoide-gateway
  --target TRIPLE  such as aarch64-unknown-linux-gnu; default: this machine

All the other options are the gateway's own: deno task gateway --help. Its password comes by standard
input, which the unit omoide-gateway.service opens for it: --password-file -

The runtime is downloaded by Deno; where it cannot be, the environment variable DENORT_BIN names one.`;

await runCompile("compile-gateway", HELP, (args) => {
  const options = parseGatewayOptions(args);
  refuseFile("gateway", options.passwordFile);
  return {
    entry: "src/gateway/main.ts",
    permissions: permissionFlags(gatewayNeeds(options)),
    // The page's files are imported as text.
    unstable: ["raw-imports"],
    v8Flags: GATEWAY_V8_FLAGS,
    args,
    output: "dist/omoide-gateway",
  };
});
