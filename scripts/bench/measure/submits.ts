import { submitMedia } from "../../../src/inbox/application/submit.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { roleOf } from "../../../src/inbox/role_names.ts";
import { sleep } from "../../../src/sleep.ts";
import { makeInbox, STORAGES } from "../inbox.ts";
import { mediaOf, ofSize, RandomBytes } from "../loads.ts";
import { Meter } from "../meter.ts";
import type { Server } from "../server.ts";
import { percentile } from "../statistics.ts";
import type { Contender } from "../stage.ts";
import { othersCores } from "./carry.ts";

/** Who is there to be notified. */
export type Listeners = "as workers" | "always asleep" | "none";

/** Seconds. */
const MEASURED = 3;
const MEASURED_QUICKLY = 0.2;

/** Submits as fast as the given number of sessions get their answers. No worker runs: only coming in is measured. */
export function submitting(size: number, sessions: number, listeners: Listeners): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      await makeInbox(server, directory);
      const ended = new AbortController();
      const listening = listeners === "none"
        ? []
        : STORAGES.map((name) => listen(server, name, listeners, ended.signal));
      const connection = await server.connect("bench");
      const meter = await Meter.start(server, connection);
      const seconds = stage.quick ? MEASURED_QUICKLY : MEASURED;
      const took = await submitFor(server, seconds, size, sessions);
      const bill = await meter.bill();
      ended.abort();
      await Promise.all(listening);
      await connection.end();
      return {
        submits_per_s: took.length / seconds,
        submit_p50_ms: percentile(took, 0.5),
        others_cores: othersCores(bill),
      };
    });
}

/** @returns how long each submit took, in ms */
async function submitFor(
  server: Server,
  seconds: number,
  size: number,
  sessions: number,
): Promise<number[]> {
  const connections = await Promise.all(
    Array.from({ length: sessions }, () => server.connect("bench submit", roleOf("app"))),
  );
  const media = mediaOf(ofSize(size, Infinity, 20));
  const bytes = new RandomBytes().take(size);
  const took: number[] = [];
  const end = performance.now() + seconds * 1000;
  await Promise.all(connections.map(async (connection) => {
    while (performance.now() < end) {
      const { value } = media.next();
      if (value === undefined) break;
      const began = performance.now();
      await submitMedia(connection, value, bytes);
      took.push(performance.now() - began);
    }
  }));
  for (const connection of connections) await connection.end();
  return took;
}

/** `IdleWait` of the worker, without the work: see there. */
const FIRST_MS = 4;
const LONGEST_MS = 1000;

/** Sleeps and is notified as a worker does that has nothing else to do; or sleeps on for ever. */
async function listen(
  server: Server,
  storage: string,
  how: Listeners,
  ended: AbortSignal,
): Promise<void> {
  const connection = await server.connect("bench", roleOf(storage));
  await connection.query("LISTEN omoide_sealed");
  let delay = FIRST_MS;
  while (!ended.aborted) {
    const asleep = await fallAsleep(connection);
    if (asleep) {
      await notified(connection, ended);
      while (how === "always asleep" && !ended.aborted) await notified(connection, ended);
      await connection.query("SELECT omoide.stay_awake()");
      delay = FIRST_MS;
      continue;
    }
    await sleep(delay);
    delay = Math.min(2 * delay, LONGEST_MS);
  }
  await connection.end();
}

async function fallAsleep(connection: Connection): Promise<boolean> {
  const { rows: [row] } = await connection.query<{ asleep: boolean }>(
    "SELECT omoide.fall_asleep() AS asleep",
  );
  return row?.asleep === true;
}

async function notified(connection: Connection, ended: AbortSignal): Promise<void> {
  if (ended.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  connection.once("notification", end);
  ended.addEventListener("abort", end);
  await promise;
  connection.off("notification", end);
  ended.removeEventListener("abort", end);
}
