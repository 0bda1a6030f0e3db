/** What the figures depend on: said beside them. */
import { run } from "./command.ts";
import { describeServer } from "./server.ts";
import type { Stage } from "./stage.ts";

export async function describeMachine(stage: Stage): Promise<Record<string, unknown>> {
  const { directory } = stage.ground;
  const [, fileSystem = ""] = (await run("df", "--output=fstype", directory)).trim().split("\n");
  return {
    cores: navigator.hardwareConcurrency,
    memory_gb: Math.round(Deno.systemMemoryInfo().total / 1e9),
    kernel: Deno.osRelease(),
    file_system: fileSystem,
    deno: Deno.version.deno,
    server: await stage.withServer(async (server) => {
      const connection = await server.connect("bench");
      const description = await describeServer(connection);
      await connection.end();
      return description;
    }),
  };
}

/** Programs that ran or wanted to, over the last minute. */
export function load(): number {
  return Deno.loadavg()[0] ?? NaN;
}
