/** How fast several workers carry to one storage: each has one of its lanes. */
import { ForeignMount } from "../../../tests/lab/foreign_mount.ts";
import { FUSEPY } from "../../../tests/lab/recorded_disk.ts";
import { initStorage } from "../../../src/admin/init_storage.ts";
import { openInbox } from "../../../src/inbox/admin/inbox.ts";
import { setLanes } from "../../../src/inbox/admin/lanes.ts";
import { initInbox } from "../../../src/inbox/admin/init_inbox.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { sleep } from "../../../src/sleep.ts";
import { FUSE, UNMEASURED } from "../../../src/storage/file_systems.ts";
import { STORAGES, Workers } from "../inbox.ts";
import { type Load, shortened } from "../loads.ts";
import { Meter } from "../meter.ts";
import type { Server } from "../server.ts";
import type { Contender } from "../stage.ts";
import { othersCores, submitAll } from "./carry.ts";
import { omoideWorkers, timeOf } from "./workers.ts";

/**
 * How much longer the slow file system takes for whatever changes something or flushes, in milliseconds: one
 * worker stores 2.6 files in a second (8 on GlusterFS, where each answer took less).
 */
export const DELAY_MS = 50;

/**
 * Workers for each lane of one storage, which are there and have shared the lanes before anything is owed: the
 * clock runs from that moment to the last receipt. Nobody carries to the other storage.
 *
 * @param disk `slow`: below FUSE, where whatever changes something takes `DELAY_MS` longer
 */
export function carriedInLanes(lanes: number, load: Load, disk: "as it is" | "slow"): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      const wanted = stage.quick ? shortened(load) : load;
      await using mounts = new AsyncDisposableStack();
      const mount = disk === "slow" ? mounts.use(await slowMount(directory)) : null;
      await makeInbox(server, directory, disk, lanes);
      const connection = await server.connect("bench");
      await submitAll(server, wanted, omoideWorkers.submit);
      // Owed, and not yet: none is looked for that is due later than an hour from now.
      await due(connection, "now() + interval '30 minutes'");
      await using workers = new Workers(server, directory, Array(lanes).fill("hot"));
      await workers.during(allShared(connection, lanes));
      mount?.behave(DELAY_MS);
      const meter = await Meter.start(server, connection);
      const began = await timeOf(connection);
      await due(connection, "'-infinity'");
      await workers.during(allStored(connection, wanted.count));
      const bill = await meter.bill();
      const peakMemory = workers.peakMemory();
      mount?.behave(0);
      await workers.stop();
      const { rows: [row] } = await connection.query<{ seconds: number }>(
        "SELECT extract(epoch FROM max(stored_at) - $1::timestamptz)::float8 AS seconds " +
          "FROM omoide.stored",
        [began],
      );
      await connection.end();
      return {
        media_per_s: wanted.count / (row?.seconds ?? 0),
        peak_memory_mb: peakMemory / 1e6,
        others_cores: othersCores(bill),
      };
    });
}

async function slowMount(directory: string): Promise<ForeignMount> {
  if (Deno.uid() !== 0) throw new Error("A mount of one's own takes root");
  await Deno.stat(FUSEPY);
  const [below, seen] = [`${directory}/below`, `${directory}/hot`];
  await Deno.mkdir(below);
  await Deno.mkdir(seen);
  return await ForeignMount.over(below, seen, "slow", `${directory}/control`);
}

async function makeInbox(
  server: Server,
  directory: string,
  disk: "as it is" | "slow",
  lanes: number,
): Promise<void> {
  const connection = await server.connect("bench");
  await initInbox(connection);
  await connection.end();
  await using inbox = await openInbox(server.url());
  for (const name of STORAGES) {
    const root = `${directory}/${name}`;
    const isSlow = disk === "slow" && name === "hot";
    const mounted = { type: FUSE, accept: UNMEASURED };
    await initStorage(inbox, { name, root, ...(isSlow ? { mounted } : {}) });
  }
  await setLanes(inbox, "hot", lanes);
}

/** When what is owed may be carried; workers that wait are told. */
async function due(connection: Connection, when: string): Promise<void> {
  await connection.query(
    `UPDATE omoide.delivery SET next_attempt_at = ${when}; NOTIFY omoide_sealed`,
  );
}

async function allShared(connection: Connection, lanes: number): Promise<void> {
  await untilTrue(
    connection,
    "SELECT count(*) = $1 AND bool_and(cardinality(l.held) = 1) AS done " +
      "FROM omoide.storage s, omoide.lane_sessions(s.id) l WHERE s.name = 'hot'",
    lanes,
  );
}

async function allStored(connection: Connection, count: number): Promise<void> {
  await untilTrue(connection, "SELECT count(*) = $1 AS done FROM omoide.stored", count);
}

async function untilTrue(connection: Connection, sql: string, value: number): Promise<void> {
  for (;;) {
    const { rows: [row] } = await connection.query<{ done: boolean }>(sql, [value]);
    if (row?.done === true) return;
    await sleep(50);
  }
}
