/** A monitor in its sandbox, as its launcher starts it, with a database that can go away. */
import { monitorLaunch } from "../../../scripts/lib/http_launch.ts";
import { denoArguments } from "../../../scripts/lib/program_command.ts";
import { until } from "../../lab/command.ts";
import { FaultyProxy } from "../../lab/proxy.ts";
import type { World } from "../../lab/world.ts";
import { freePort } from "../../../scripts/lib/free_port.ts";

export interface Got {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export class MonitorProcess implements AsyncDisposable {
  private constructor(
    readonly url: string,
    /** Between it and the database. */
    readonly wire: FaultyProxy,
    private readonly process: Deno.ChildProcess,
    private readonly output: Promise<string>,
  ) {}

  /** @param more further options */
  static async start(
    world: World,
    more: readonly string[] = [],
    port: number = freePort(),
  ): Promise<MonitorProcess> {
    await world.query("ALTER ROLE omoide_monitor PASSWORD 'secret'");
    const wire = FaultyProxy.before(world.server.port);
    const launch = monitorLaunch([
      ...["--listen", `127.0.0.1:${port}`, "--password-file", "-"],
      ...["--database", `postgres://127.0.0.1:${wire.port}/${world.database}`],
      ...more,
    ]);
    const process = new Deno.Command(Deno.execPath(), {
      args: denoArguments(launch),
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode("secret\n"));
    await writer.close();
    const output = new Response(process.stderr).text();
    const monitor = new MonitorProcess(`http://127.0.0.1:${port}`, wire, process, output);
    let over = false;
    process.status.then(() => over = true);
    await until("the monitor listens", async () => {
      if (over) throw new Error(await output);
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    });
    return monitor;
  }

  async get(path: string, init: RequestInit = {}): Promise<Got> {
    const response = await fetch(this.url + path, init);
    return { status: response.status, text: await response.text(), headers: response.headers };
  }

  /** Waits until an address answers as it should: an answer holds for a moment. */
  async becomes(path: string, is: (got: Got) => boolean): Promise<Got> {
    return await until(`${path} is as it should be`, async () => {
      const got = await this.get(path);
      return is(got) ? got : false;
    });
  }

  /** @returns how it ended, and what it said */
  async end(signal: Deno.Signal): Promise<{ readonly code: number; readonly said: string }> {
    this.process.kill(signal);
    const { code } = await this.process.status;
    return { code, said: await this.output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.end("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.wire[Symbol.asyncDispose]();
  }
}
