import { submitMedia } from "../../../src/inbox/application/submit.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { roleOf } from "../../../src/inbox/role_names.ts";
import { sleep } from "../../../src/sleep.ts";
import { makeInbox, STORAGES, Workers } from "../inbox.ts";
import { mediaOf, ofSize, RandomBytes } from "../loads.ts";
import { percentile } from "../statistics.ts";
import type { Contender } from "../stage.ts";

const SAMPLES = 100;
const SAMPLES_QUICKLY = 3;
/** Milliseconds between two uploads: long enough for a worker to fall asleep, and never the same. */
const PAUSES: readonly [number, number] = [50, 250];

/** One upload of the given bytes at a time, with workers that have nothing else to do. */
export function latencyAtRest(size: number): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      await makeInbox(server, directory);
      const application = await server.connect("bench submit", roleOf("app"));
      const admin = await server.connect("bench");
      await using workers = new Workers(server, directory);
      await workers.during(untilAsleep(admin));
      const [submits, receipts]: [number[], number[]] = [[], []];
      const random = new RandomBytes();
      for (const media of mediaOf(ofSize(size, stage.quick ? SAMPLES_QUICKLY : SAMPLES))) {
        await sleep(PAUSES[0] + Math.random() * (PAUSES[1] - PAUSES[0]));
        const bytes = random.take(size);
        const began = performance.now();
        const id = await submitMedia(application, media, bytes);
        const committed = performance.now();
        await workers.during(bothReceipts(admin, id));
        submits.push(committed - began);
        receipts.push(performance.now() - committed);
      }
      await application.end();
      await admin.end();
      return {
        submit_p50_ms: percentile(submits, 0.5),
        latency_p50_ms: percentile(receipts, 0.5),
        latency_p99_ms: percentile(receipts, 0.99),
      };
    });
}

/** Asks each millisecond: what is measured is late by that at the most. */
async function bothReceipts(connection: Connection, id: bigint): Promise<void> {
  for (;;) {
    const { rowCount } = await connection.query("SELECT FROM omoide.stored WHERE media_id = $1", [
      id,
    ]);
    if (rowCount === STORAGES.length) return;
    await sleep(1);
  }
}

/**
 * Until the workers have started, swept the inbox and found nothing: they sleep, each with a lock. (They are `idle`
 * before they sweep, which with 100,000 media owed to another storage takes 0.3 s: a sixth of what came after it.)
 */
export async function untilAsleep(
  connection: Connection,
  workers: number = STORAGES.length,
): Promise<void> {
  for (;;) {
    const { rowCount } = await connection.query(
      "SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock' " +
        "AND classid = omoide.sleep_lock_class()::oid",
    );
    if (rowCount === workers) return;
    await sleep(20);
  }
}
