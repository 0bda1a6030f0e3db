import { randomFillSync } from "node:crypto";
import { submitMedia } from "../../src/inbox/application.ts";
import { connect } from "../../src/inbox/connect.ts";
import { parseAdminDatabaseUrl } from "../../src/inbox/database_url.ts";
import { DemoSystem } from "../demo/system.ts";

/** What is carried. */
export interface Load {
  readonly count: number;
  /** Bytes of each. */
  readonly size: number;
  readonly owners: number;
}

/** Seconds in which two workers, started together, carry the whole load and acknowledge it. */
export async function carryWithWorkers(load: Load): Promise<number> {
  return await withSystem(async (system) => {
    await system.initialise();
    const database = await open(system.adminUrl);
    const owners = Array.from({ length: load.owners }, () => crypto.randomUUID());
    for (let i = 0; i < load.count; i++) {
      await submitMedia(database, {
        ownerUuid: owners[i % owners.length] ?? "",
        itemUuid: crypto.randomUUID(),
        mediaType: "content",
        ext: "jpg",
      }, randomBytes(load.size));
    }
    await database.query("CHECKPOINT");
    await run("sync", []);
    system.startWorkers();
    const died = system.workerDied();
    for (;;) {
      const { rows: [row] } = await database.query<{ n: string; seconds: number }>(
        "SELECT count(*) AS n, extract(epoch FROM max(stored_at) - " +
          "(SELECT min(started_at) FROM omoide.worker))::float8 AS seconds FROM omoide.stored",
      );
      if (Number(row?.n) === 2 * load.count) {
        await database.end();
        return row?.seconds ?? NaN;
      }
      const what = await Promise.race([
        died,
        new Promise<null>((done) => setTimeout(done, 100, null)),
      ]);
      if (what !== null) throw new Error(what);
    }
  });
}

/** Seconds in which two naive workers, started together, write the same load, without one fsync. */
export async function naiveTwice(load: Load): Promise<number> {
  return await withSystem(async (system) => {
    const database = await open(system.adminUrl);
    await database.query(
      "CREATE TABLE naive (id bigserial PRIMARY KEY, content bytea, hot boolean DEFAULT false, " +
        "cold boolean DEFAULT false); ALTER TABLE naive ALTER content SET STORAGE EXTERNAL",
    );
    for (let i = 0; i < load.count; i++) {
      await database.query("INSERT INTO naive (content) VALUES ($1)", [randomBytes(load.size)]);
    }
    await database.query("CHECKPOINT");
    await database.end();
    await run("sync", []);
    const script = new URL("./naive.ts", import.meta.url).pathname;
    const began = performance.now();
    await Promise.all(system.storages.map(async ({ name, root }) => {
      await Deno.mkdir(root);
      await run(Deno.execPath(), ["run", "-A", script, system.adminUrl, root, name]);
    }));
    return (performance.now() - began) / 1000;
  });
}

/** Seconds in which `cp -r` twice, side by side, then `sync`, copies the same bytes from warm files. */
export async function copyTwice(load: Load): Promise<number> {
  const directory = await Deno.makeTempDir({ prefix: "omoide-bench-" });
  try {
    await Deno.mkdir(`${directory}/from`);
    for (let i = 0; i < load.count; i++) {
      await Deno.writeFile(`${directory}/from/${i}.jpg`, randomBytes(load.size));
    }
    await run("sync", []);
    const began = performance.now();
    await Promise.all(
      ["hot", "cold"].map((name) => run("cp", ["-r", `${directory}/from`, `${directory}/${name}`])),
    );
    await run("sync", []);
    return (performance.now() - began) / 1000;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function withSystem<T>(work: (system: DemoSystem) => Promise<T>): Promise<T> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-bench-" }));
  const system = await DemoSystem.start(directory, false);
  try {
    return await work(system);
  } finally {
    await system.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

async function open(url: string) {
  return await connect(parseAdminDatabaseUrl(url, "postgres").address, {}, "bench");
}

const buffer = new Uint8Array(4 * 1000 * 1000);

function randomBytes(size: number): Uint8Array {
  const bytes = buffer.subarray(0, size);
  randomFillSync(bytes);
  return bytes;
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const { code } = await new Deno.Command(command, { args: [...args], stdin: "null" }).output();
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}
