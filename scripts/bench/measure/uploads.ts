/** Uploads over HTTP through the gateway, beside the driver alone. Nobody carries: only coming in is measured. */
import { streamMedia } from "../../../src/inbox/application/submit.ts";
import { roleOf } from "../../../src/inbox/role_names.ts";
import { sleep } from "../../../src/sleep.ts";
import type { Figures } from "../figures.ts";
import { GatewayProcess } from "../gateway.ts";
import { makeInbox } from "../inbox.ts";
import { RandomBytes } from "../loads.ts";
import { type Bill, Meter } from "../meter.ts";
import { readProcesses, totalOf } from "../processors.ts";
import { vacuumAndCheckpoint } from "../settle.ts";
import type { Server } from "../server.ts";
import type { Contender } from "../stage.ts";
import { othersCores } from "./carry.ts";
import { HttpClient } from "./http_client.ts";

/** What is uploaded. */
export interface Uploads {
  /** Bytes of each. */
  readonly size: number;
  readonly count: number;
  /** How many are under way at any moment. */
  readonly atOnce: number;
}

/** Uploads one file of that many bytes. */
type Upload = (size: number) => Promise<void>;

/** What goes before the measured uploads: programs are compiled, connections and the first files are there. */
const WARM_UP_BYTES = 64e6;
const QUICK_BYTES = 5e6;

/** By HTTP: a request for each, or as the page does it, in parts that can be resumed. */
export function uploading(uploads: Uploads, by: "PUT" | "PATCH"): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      await makeRoomyInbox(server, directory);
      await using gateway = await GatewayProcess.start(server);
      const client = new HttpClient(gateway);
      const upload: Upload = (size) => by === "PUT" ? client.put(size) : client.upload(size);
      const figures = await measure(server, uploads, upload, stage.quick);
      return { ...figures, peak_memory_mb: gateway.peakMemory() / 1e6 };
    });
}

/** By append_chunk on one connection, as an application does that has the file. */
export function appending(uploads: Uploads): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      await makeRoomyInbox(server, directory);
      const connection = await server.connect("bench submit", roleOf("app"));
      const block = new RandomBytes().take(1024 * 1024);
      const upload: Upload = async (size) => {
        const ownerUuid = crypto.randomUUID();
        const media = { ownerUuid, itemUuid: crypto.randomUUID(), mediaType: "content" } as const;
        await streamMedia(connection, { ...media, ext: "mov" }, repeated(block, size));
      };
      const figures = await measure(server, uploads, upload, stage.quick);
      await connection.end();
      return figures;
    });
}

async function* repeated(block: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; left -= block.length) yield block.subarray(0, left);
}

/** Everybody's limits are out of the way. */
async function makeRoomyInbox(server: Server, directory: string): Promise<void> {
  await makeInbox(server, directory);
  const connection = await server.connect("bench");
  await connection.query(
    "UPDATE omoide.settings SET max_inbox_bytes = 1e12, max_inbox_disk_bytes = 1e12, " +
      "max_pending_bytes = 1e12, max_media_bytes = 1e11, owner_bytes_per_day = 1e13, " +
      "all_bytes_per_day = 1e13",
  );
  await connection.end();
}

/** After a warm-up and a checkpoint, so that each begins with the same: nothing to be written back. */
async function measure(
  server: Server,
  { size, count, atOnce }: Uploads,
  upload: Upload,
  quick: boolean,
): Promise<Figures> {
  const bytes = Math.min(size, quick ? QUICK_BYTES : Infinity);
  const connection = await server.connect("bench");
  const warmUps = quick ? atOnce : Math.ceil(WARM_UP_BYTES / bytes);
  await uploadAll(warmUps, atOnce, () => upload(Math.min(bytes, WARM_UP_BYTES)));
  await vacuumAndCheckpoint(connection);
  const meter = await Meter.start(server, connection);
  const wanted = quick ? atOnce : count;
  await uploadAll(wanted, atOnce, () => upload(bytes));
  const bill = await meter.bill();
  await connection.end();
  return figuresOf(bill, wanted * bytes);
}

/** Each client begins its next when it has its answer. */
async function uploadAll(count: number, atOnce: number, upload: () => Promise<void>) {
  let left = count;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left-- > 0) await upload();
  }));
}

function figuresOf(bill: Bill, bytes: number): Figures {
  const gb = bytes / 1e9;
  return {
    received_mb_per_s: bytes / 1e6 / bill.seconds,
    coming_in_database_s_per_gb: totalOf(bill.database) / gb,
    gateway_s_per_gb: totalOf(bill.carriers) / gb,
    client_s_per_gb: totalOf(bill.bench) / gb,
    coming_in_wal_per_byte: bill.wal / bytes,
    busy_percent: bill.machine / bill.seconds / navigator.hardwareConcurrency * 100,
    others_cores: othersCores(bill),
  };
}

/** Seconds. */
const WATCHED = 20;
const WATCHED_QUICKLY = 0.5;

/** People, each another owner with one file, who watch events and see nothing happen. */
export function watching(people: number): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      await makeRoomyInbox(server, directory);
      const count = stage.quick ? 5 : people;
      await using gateway = await GatewayProcess.start(server, count);
      const url = `http://127.0.0.1:${gateway.port}`;
      for (const { owner, token } of gateway.people) {
        const path = `${url}/media/${owner}/${crypto.randomUUID()}/content.jpg`;
        const headers = { authorization: `Bearer ${token}` };
        await (await fetch(path, { method: "PUT", headers, body: "a picture" })).body?.cancel();
      }
      await releaseAll(server);
      const answers = await Promise.all(
        gateway.people.map(({ token }) =>
          fetch(`${url}/events`, { headers: { authorization: `Bearer ${token}` } })
        ),
      );
      const used = () => {
        const found = [...readProcesses()].find(({ pid }) => pid === gateway.pid);
        return found === undefined ? NaN : totalOf(found.own);
      };
      const seconds = stage.quick ? WATCHED_QUICKLY : WATCHED;
      await sleep(stage.quick ? 0 : 3000);
      const before = used();
      await sleep(seconds * 1000);
      const spent = used() - before;
      for (const { body } of answers) await body?.cancel();
      return {
        core_percent: spent / seconds * 100,
        peak_memory_mb: gateway.peakMemory() / 1e6,
      };
    });
}

/** As if workers had carried everything. */
async function releaseAll(server: Server): Promise<void> {
  const connection = await server.connect("bench");
  await connection.query("DELETE FROM omoide.waiting");
  await connection.query("DELETE FROM omoide.delivery");
  await connection.end();
}
