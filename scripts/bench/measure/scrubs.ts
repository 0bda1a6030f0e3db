/** What it costs to look again: how fast a deep look reads, and what a paced one takes from the workers. */
import { denoArguments } from "../../lib/program_command.ts";
import { scrubProgram } from "../../lib/programs.ts";
import { roleOf, scrubRole } from "../../../src/inbox/role_names.ts";
import { SCHEMA_VERSION } from "../../../src/inbox/schema_version.ts";
import { ObjectLayout, publicPath } from "../../../src/storage/layout.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { sleep } from "../../../src/sleep.ts";
import { run, secondsOf } from "../command.ts";
import { makeInbox, type StorageName, STORAGES, workerArguments } from "../inbox.ts";
import { bytesOf, type Load, mediaOf, RandomBytes, shortened } from "../loads.ts";
import { between, peakMemoryOf, readProcesses, readProcessors, totalOf } from "../processors.ts";
import type { Server } from "../server.ts";
import { percentile } from "../statistics.ts";
import type { Contender } from "../stage.ts";
import { type Carrier, othersCores } from "./carry.ts";
import { omoideWorkers } from "./workers.ts";
import { endProcess } from "../../lib/end_process.ts";

/** Puts files into a root as its worker would have, and no receipt anywhere: a deep look asks for none. */
async function plant(root: string, load: Load): Promise<void> {
  const random = new RandomBytes();
  let id = 1_000_000_000n;
  for (const media of mediaOf(load)) {
    const bytes = random.take(media.size);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice()));
    const sha256 = digest.toHex();
    const object = `${root}/${ObjectLayout.of(1).pathOf({ id: id++, sha256 })}`;
    const name = `${media.itemUuid}.${media.ext}`;
    const path = `${root}/${publicPath({ ...media, publicName: name }, 2)}`;
    await Deno.writeFile(object, bytes, { createNew: true, mode: 0o440 });
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.link(object, path);
  }
}

function scrubCommand(server: Server, directory: string, name: StorageName, ...more: string[]) {
  const options = workerArguments(server, directory, name, scrubRole(roleOf(name)));
  return denoArguments(scrubProgram([...options, ...more]));
}

/** How fast every byte of a storage is read and summed, from memory: what the program itself can do. */
function reading(
  load: Load,
  read: (server: Server, directory: string) => Promise<number>,
): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      const wanted = stage.quick ? shortened(load) : load;
      await makeInbox(server, directory);
      await plant(`${directory}/hot`, wanted);
      await run("sync");
      const [before, began] = [readProcessors(server.process), performance.now()];
      const seconds = await read(server, directory);
      const used = between(before, readProcessors(server.process));
      const elapsed = (performance.now() - began) / 1000;
      return {
        read_mb_per_s: bytesOf(wanted) / 1e6 / seconds,
        reader_s_per_gb: totalOf(used.carriers) / bytesOf(wanted) * 1e9,
        others_cores: othersCores({ ...used, seconds: elapsed, wal: 0 }),
      };
    });
}

/** `--once`: the look itself, as the inbox has it, without the program's start and the look at the names. */
export function deepLook(load: Load): Contender {
  return reading(load, async (server, directory) => {
    await run(Deno.execPath(), ...scrubCommand(server, directory, "hot", "--once"));
    const connection = await server.connect("bench");
    const { rows: [row] } = await connection.query<{ seconds: number }>(
      "SELECT extract(epoch FROM finished_at - last_started_at)::float8 AS seconds " +
        "FROM omoide.look WHERE depth = 'deep' AND finished_findings = 0",
    );
    await connection.end();
    if (row === undefined) throw new Error("the scrub has not read everything well");
    return row.seconds;
  });
}

/** The plain tool on the same files. */
export function sha256sum(load: Load): Contender {
  return reading(load, (_server, directory) =>
    secondsOf(() =>
      run(
        ...["sh", "-c", 'find "$1" -type f -print0 | xargs -0 sha256sum >/dev/null'] as const,
        ...["sh", `${directory}/hot/.omoide/objects`],
      )
    ));
}

/** Workers whose storages have something already, which scrubs look at meanwhile, or nobody. */
export function workersBeside(scrubs: "scrubs" | "nobody", had: Load): Carrier {
  return {
    ...omoideWorkers,
    async prepare(server, directory) {
      await makeInbox(server, directory);
      for (const name of STORAGES) await plant(`${directory}/${name}`, had);
    },
    async carry(server, directory, count) {
      const connection = await server.connect("bench");
      const processes = scrubs === "nobody"
        ? []
        : STORAGES.map((name) =>
          new Deno.Command(Deno.execPath(), {
            args: scrubCommand(server, directory, name),
            stdin: "null",
            stdout: "null",
          }).spawn()
        );
      try {
        if (scrubs === "scrubs") await untilReading(connection, STORAGES.length);
        return await omoideWorkers.carry(server, directory, count);
      } finally {
        for (const process of processes) await endProcess(process);
        await connection.end();
      }
    },
  };
}

/** Seconds: two rounds of asking whether the worker stores, and some progress told. */
const PACED = 30;
const PACED_QUICKLY = 1;

/** What a scrub takes that spreads its look over its time: beside it a worker is left all the rest. */
export function pacedScrub(had: Load): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      await makeInbox(server, directory);
      await plant(`${directory}/hot`, stage.quick ? shortened(had) : had);
      const connection = await server.connect("bench");
      const process = new Deno.Command(Deno.execPath(), {
        args: scrubCommand(server, directory, "hot"),
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        await untilReading(connection, 1);
        const seconds = () => {
          const found = [...readProcesses()].find(({ pid }) => pid === process.pid);
          return found === undefined ? NaN : totalOf(found.own);
        };
        const [before, bytes] = [seconds(), bytesRead(process.pid)];
        const measured = stage.quick ? PACED_QUICKLY : PACED;
        await sleep(measured * 1000);
        return {
          core_percent: (seconds() - before) / measured * 100,
          read_mb_per_s: (bytesRead(process.pid) - bytes) / 1e6 / measured,
          peak_memory_mb: peakMemoryOf(process.pid) / 1e6,
        };
      } finally {
        await endProcess(process);
        await connection.end();
      }
    });
}

/** Bytes that a process has read so far, from memory or disk. */
function bytesRead(pid: number): number {
  return Number(/^rchar: (\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`))?.[1]);
}

/** Until so many scrubs have looked at the names and begun to read. */
async function untilReading(connection: Connection, scrubs: number): Promise<void> {
  for (;;) {
    const { rowCount } = await connection.query(
      "SELECT FROM omoide.look WHERE depth = 'deep' AND started_at IS NOT NULL",
    );
    if (rowCount === scrubs) return;
    await sleep(50);
  }
}

const BEATS = 2000;
const BEATS_QUICKLY = 20;

/** What a heartbeat takes that also keeps the history, which is as long as it becomes. */
export const heartbeats: Contender = (stage) =>
  stage.withServer(async (server, directory) => {
    await makeInbox(server, directory);
    const admin = await server.connect("bench");
    await admin.query(
      `INSERT INTO omoide.measurement (storage_id, span, at, stored_media, stored_bytes, owed, state)
      SELECT s.id, 'minute', date_bin('1 minute', now(), '2000-01-01 00:00Z') - n * interval '1 minute',
        1, 1, 1, 'idle' FROM omoide.storage s, generate_series(1, 2879) n
      UNION ALL
      SELECT s.id, 'hour', date_bin('1 hour', now(), '2000-01-01 00:00Z') - n * interval '1 hour',
        1, 1, 1, 'idle' FROM omoide.storage s, generate_series(1, 8783) n`,
    );
    await admin.query("VACUUM ANALYZE omoide.measurement");
    const worker = await server.connect("bench", roleOf("hot"));
    const { rows: [taken] } = await admin.query<{ identity: string }>(
      "SELECT identity FROM omoide.storage WHERE name = 'hot'",
    );
    const { rows: [life] } = await worker.query<{ life: string }>(
      "SELECT life FROM omoide.take_storage($1, 'hot', $2)",
      [SCHEMA_VERSION, taken?.identity],
    );
    const before = readProcessors(server.process);
    const began = performance.now();
    const ms: number[] = [];
    const count = stage.quick ? BEATS_QUICKLY : BEATS;
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      await worker.query(
        "SELECT omoide.heartbeat($4, 'bench', $1, 'storing', NULL, 1000, 2000, 10, 20, $2, $3, NULL)",
        [new Date(1e12), i, i * 1000, life?.life],
      );
      ms.push(performance.now() - start);
    }
    const seconds = (performance.now() - began) / 1000;
    const used = between(before, readProcessors(server.process));
    await worker.end();
    await admin.end();
    return {
      beat_p50_ms: percentile(ms, 0.5),
      beat_p99_ms: percentile(ms, 0.99),
      beat_database_ms: totalOf(used.database) / count * 1000,
      others_cores: othersCores({ ...used, seconds, wal: 0 }),
    };
  });
