import { runMigrations } from "graphile-worker";
import { STORAGES } from "../inbox.ts";
import type { Carrier } from "../measure/carry.ts";
import { peer } from "./table.ts";

export const naive: Carrier = peer("./peers/naive.ts");

export const driver: Carrier = peer("./peers/driver.ts");

export const queue: Carrier = peer("./peers/queue.ts", {
  async prepare(server) {
    await runMigrations({ connectionString: server.url(), taskList: {} });
  },
  async announce(connection) {
    for (const storage of STORAGES) {
      await connection.query(
        "SELECT count(graphile_worker.add_job($1, json_build_object('id', id::text))) FROM public.peer_media",
        [storage],
      );
    }
  },
});
