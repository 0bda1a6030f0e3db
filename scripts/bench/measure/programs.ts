/** A worker that has nothing to do: how soon it is through, and what it costs to be there. */
import { sleep } from "../../../src/sleep.ts";
import { workerCommand } from "../../lib/spawn_worker.ts";
import { run, secondsOf } from "../command.ts";
import { makeInbox, workerArguments, Workers } from "../inbox.ts";
import { readProcesses, totalOf } from "../processors.ts";
import type { Contender } from "../stage.ts";
import { untilAsleep } from "./latency.ts";

/** `--once` with nothing in the inbox, from the command to its end. */
export const onceWithNothing: Contender = (stage) =>
  stage.withServer(async (server, directory) => {
    await makeInbox(server, directory);
    const command = workerCommand([...workerArguments(server, directory, "hot"), "--once"]);
    return { seconds: await secondsOf(() => run(Deno.execPath(), ...command)) };
  });

/** The runtime alone. */
export const emptyProgram: Contender = async () => ({
  seconds: await secondsOf(() => run(Deno.execPath(), "eval", "")),
});

/** Seconds: a poll and some heartbeats. */
const IDLE = 40;
const IDLE_QUICKLY = 0.5;

export const idleWorkers: Contender = (stage) =>
  stage.withServer(async (server, directory) => {
    await makeInbox(server, directory);
    const connection = await server.connect("bench");
    await using workers = new Workers(server, directory);
    await workers.during(untilAsleep(connection));
    await connection.end();
    const used = () =>
      new Map(
        [...readProcesses()].filter(({ pid }) => workers.pids.includes(pid))
          .map(({ pid, own }) => [pid, totalOf(own)]),
      );
    const before = used();
    const seconds = stage.quick ? IDLE_QUICKLY : IDLE;
    await workers.during(sleep(seconds * 1000));
    const spent = [...used()].map(([pid, after]) => after - (before.get(pid) ?? 0));
    return {
      core_percent: Math.max(...spent) / seconds * 100,
      peak_memory_mb: workers.peakMemory() / 1e6,
    };
  });
