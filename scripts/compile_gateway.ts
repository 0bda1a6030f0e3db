/**
 * `deno task compile-gateway …`: the gateway as one executable, with its permissions and options baked in.
 */
import { parseGatewayOptions } from "../src/gateway/options.ts";
import { gatewayNeeds } from "../src/sandbox.ts";
import { GATEWAY_V8_FLAGS } from "./lib/http_launch.ts";
import { compileHttp } from "./lib/compile/compile_http.ts";

await compileHttp({
  name: "gateway",
  usage: "--listen HOST:PORT --database URL",
  parse: parseGatewayOptions,
  needs: gatewayNeeds,
  v8Flags: GATEWAY_V8_FLAGS,
});
