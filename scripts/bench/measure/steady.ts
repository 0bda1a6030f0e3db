import { submitMedia } from "../../../src/inbox/application/submit.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { roleOf } from "../../../src/inbox/role_names.ts";
import { sleep } from "../../../src/sleep.ts";
import { makeInbox, Workers } from "../inbox.ts";
import { mediaOf, ofSize, RandomBytes } from "../loads.ts";
import { Meter } from "../meter.ts";
import { totalOf } from "../processors.ts";
import type { Contender } from "../stage.ts";
import { othersCores } from "./carry.ts";
import { untilAsleep } from "./latency.ts";
import { allReleased } from "./workers.ts";

/** Seconds. */
const MEASURED = 60;
const MEASURED_QUICKLY = 1;
const SESSIONS = 4;
/** Bytes that wait, above which the application pauses: a service that is asked for what it can do. */
const BACKLOG = 256e6;

/** Uploads that never pause while workers carry: how large the inbox's files become. */
export function steadyUploads(size: number): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      await makeInbox(server, directory);
      const connection = await server.connect("bench");
      await using workers = new Workers(server, directory);
      await workers.during(untilAsleep(connection));
      const meter = await Meter.start(server, connection);
      const seconds = stage.quick ? MEASURED_QUICKLY : MEASURED;
      const end = performance.now() + seconds * 1000;
      const state = { live: 0 };
      const sessions = Array.from({ length: SESSIONS }, async () => {
        const session = await server.connect("bench submit", roleOf("app"));
        const random = new RandomBytes();
        for (const media of mediaOf(ofSize(size, Infinity, 20))) {
          if (performance.now() > end) break;
          while (state.live > BACKLOG && performance.now() < end) await sleep(50);
          await submitMedia(session, media, random.take(size));
        }
        await session.end();
      });
      let [live, files, beyond] = [0, 0, 0];
      while (performance.now() < end) {
        const now = await inboxBytes(connection);
        state.live = now.live;
        live = Math.max(live, now.live);
        files = Math.max(files, now.files);
        beyond = Math.max(beyond, now.files - now.live);
        await workers.during(sleep(200));
      }
      await workers.during(Promise.all(sessions));
      // What came in and did not leave would be in the bill, and not in what it is divided by.
      await workers.during(allReleased(connection));
      const bill = await meter.bill();
      const { rows: [row] } = await connection.query<{ media: string }>(
        "SELECT count(*) - (SELECT count(*) FROM omoide.waiting) AS media FROM omoide.media",
      );
      const media = Number(row?.media);
      const gb = media * size / 1e9;
      await connection.end();
      return {
        media_per_s: media / bill.seconds,
        mb_per_s: gb * 1000 / bill.seconds,
        database_s_per_gb: totalOf(bill.database) / gb,
        database_user_s_per_gb: bill.database.user / gb,
        database_system_s_per_gb: bill.database.system / gb,
        worker_s_per_gb: totalOf(bill.carriers) / gb,
        kernel_s_per_gb: bill.kernelThreads / gb,
        wal_per_byte: bill.wal / 1e9 / gb,
        peak_live_mb: live / 1e6,
        peak_files_mb: files / 1e6,
        files_beyond_live_mb: beyond / 1e6,
        peak_memory_mb: workers.peakMemory() / 1e6,
        others_cores: othersCores(bill),
      };
    });
}

async function inboxBytes(connection: Connection): Promise<{ live: number; files: number }> {
  const { rows: [row] } = await connection.query<{ live: number; files: number }>(
    "SELECT coalesce(sum(live_bytes), 0)::float8 AS live, " +
      "coalesce(sum(file_bytes), 0)::float8 AS files FROM omoide.generation_status",
  );
  return row ?? { live: 0, files: 0 };
}
