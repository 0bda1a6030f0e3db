/** `deno task gateway …`: the gateway from source, in its sandbox. */
import { launch } from "./lib/launch.ts";
import { gatewayLaunch } from "./lib/http_launch.ts";

await launch("omoide-gateway", gatewayLaunch);
