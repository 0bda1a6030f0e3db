import { createHash } from "node:crypto";
import { roleOf } from "../../src/inbox/role_names.ts";
import { sleep } from "../../src/sleep.ts";
import { freePort } from "../lib/free_port.ts";
import { gatewayLaunch } from "../lib/http_launch.ts";
import { denoArguments } from "../lib/program_command.ts";
import { peakMemoryOf } from "./processors.ts";
import type { Server } from "./server.ts";
import { endProcess } from "../lib/end_process.ts";

/** An owner with the token of a device. */
export interface Person {
  readonly owner: string;
  readonly token: string;
}

/** 0.05 s each. */
const MOST_TRIES = 400;

/** A gateway in service, from source, in its sandbox. */
export class GatewayProcess implements AsyncDisposable {
  private constructor(
    readonly port: number,
    private readonly process: Deno.ChildProcess,
    readonly people: readonly Person[],
  ) {}

  /** @param people how many owners may use it */
  static async start(server: Server, people = 1): Promise<GatewayProcess> {
    const known = Array.from({ length: people }, (_, i) => ({
      owner: crypto.randomUUID(),
      token: String(i).padStart(43, "b"),
    }));
    const connection = await server.connect("bench");
    for (const { owner, token } of known) {
      await connection.query(
        "INSERT INTO omoide.token (sha256, owner_uuid, label) VALUES ($1, $2, 'bench')",
        [createHash("sha256").update(token).digest(), owner],
      );
    }
    await connection.end();
    const port = freePort();
    const launch = gatewayLaunch([
      ...["--listen", `127.0.0.1:${port}`, "--database", server.url(roleOf("app"))],
      ...["--log-level", "error"],
    ]);
    const process = new Deno.Command(Deno.execPath(), {
      args: denoArguments(launch),
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    const gateway = new GatewayProcess(port, process, known);
    await gateway.#listens();
    return gateway;
  }

  async #listens(): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return;
      } catch {
        await sleep(50);
      }
    }
    throw new Error("the gateway does not listen");
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Bytes. */
  peakMemory(): number {
    return peakMemoryOf(this.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.process);
  }
}
