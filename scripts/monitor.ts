/** `deno task monitor …`: the monitor from source, in its sandbox. */
import { launch } from "./lib/launch.ts";
import { monitorLaunch } from "./lib/http_launch.ts";

await launch("omoide-monitor", monitorLaunch);
