import { roleOf } from "../../src/inbox/role_names.ts";
import { permissionFlags } from "../../src/sandbox.ts";
import { sleep } from "../../src/sleep.ts";
import { freePort } from "../lib/free_port.ts";
import { denoArguments } from "../lib/program_command.ts";
import { gatewayLaunch } from "../lib/http_launch.ts";
import { KeptProcess } from "./kept_process.ts";
import { placeFor } from "./place.ts";
import { startFront } from "./front.ts";
import { admin, DemoSystem } from "./system.ts";

/** What people try first; another where it is taken. */
const PORT = 8080;
const OWNER = "0d0e0000-0000-4000-8000-00000000de00";

/**
 * A running archive at one address, until it is interrupted: PostgreSQL, two workers, the gateway, and
 * what serves the hot storage.
 *
 * @param keep where everything stays; nothing does where it is undefined
 * @throws {Error} saying what ended that should not have
 */
export async function serveDemo(keep: string | undefined, signal: AbortSignal): Promise<void> {
  const directory = await placeFor(keep);
  console.log("Starting PostgreSQL, making the inbox and the storages hot and cold …");
  const system = await DemoSystem.start(directory, keep !== undefined);
  try {
    await system.initialise();
    const keeping = { isRevived: true, stop: signal };
    for (const { name, pid, flags } of system.startWorkers(keeping)) {
      console.log(`Worker of ${name}, process ${pid}, may do no more than:\n  ${flags.join(" ")}`);
    }
    const token = await makeToken(system.adminUrl);
    const listen = `127.0.0.1:${freePort()}`;
    const launch = gatewayLaunch([
      ...["--listen", listen, "--database", system.urlOf(roleOf("app")), "--served", "hot"],
      ...["--log-level", "warning"],
    ]);
    const start = () => spawn(denoArguments(launch));
    await using gateway = new KeptProcess("the gateway", start, keeping);
    console.log(
      `Gateway, process ${gateway.pid}, may do no more than:\n  ${
        permissionFlags(launch.needs).join(" ")
      }`,
    );
    await using front = await startFront({
      root: `${directory}/hot`,
      gatewayPort: Number(listen.split(":")[1]),
      port: portLike(PORT),
    }, `${directory}/nginx`);
    await untilAnswered(front.port, gateway.ended);
    console.log(`Before it, serving the hot storage: ${front.name}.

Add pictures and videos here, and see them travel (Ctrl-C ends it):

http://127.0.0.1:${front.port}/#token=${token}
`);
    if (keep === undefined) console.log("Everything is removed at the end; --keep DIR keeps it.");
    await Promise.race([
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
      system.workerDied().then((what) => Promise.reject(new Error(what))),
      gateway.ended.then((what) => Promise.reject(new Error(what))),
    ]);
    console.log("Stopping …");
  } finally {
    await system.stop();
    if (keep === undefined) await Deno.remove(directory, { recursive: true });
  }
}

async function makeToken(database: string): Promise<string> {
  const said = await admin([
    ...["token", "add", OWNER, "--label", "demo", "--database", database],
  ]);
  return said.trimEnd().split("\n").at(-1) ?? "";
}

function spawn(args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

/** @returns another port where it is taken */
function portLike(wanted: number): number {
  try {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: wanted });
    return listener.addr.port;
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    return freePort();
  }
}

async function untilAnswered(port: number, ended: Promise<string>): Promise<void> {
  let failed: string | null = null;
  ended.then((what) => failed = what);
  for (let tries = 0; tries < 300; tries++) {
    if (failed !== null) throw new Error(failed);
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      await answer.body?.cancel();
      if (answer.ok) return;
    } catch {
      // Not there yet.
    }
    await sleep(100);
  }
  throw new Error("the gateway does not answer");
}
