import { randomFillSync } from "node:crypto";
import { submitMedia } from "../../src/inbox/application/submit.ts";
import { connect } from "../../src/inbox/connect.ts";
import { parseAdminDatabaseUrl } from "../../src/inbox/database_url.ts";
import type { Ground } from "./ground.ts";

/** What is carried. */
export interface Load {
  readonly count: number;
  /** Bytes of each. */
  readonly size: number;
  readonly owners: number;
}

export interface Carried {
  /** Seconds until the last receipt, of both storages. */
  readonly stored: number;
  /** Seconds until the inbox was empty. */
  readonly released: number;
}

/** Two workers, started together, carry the whole load, acknowledge it, and empty the inbox. */
export async function carryWithWorkers(ground: Ground, load: Load): Promise<Carried> {
  return await ground.withSystem(async (system) => {
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
    await run("sync");
    system.startWorkers();
    const died = system.workerDied();
    for (;;) {
      const { rows: [row] } = await database.query<Carried & { left: string }>(
        `SELECT count(*) FILTER (WHERE released_at IS NULL) AS left,
           extract(epoch FROM max(released_at) - b.began)::float8 AS released,
           extract(epoch FROM (SELECT max(stored_at) FROM omoide.stored) - b.began)::float8 AS stored
         FROM omoide.media, (SELECT min(started_at) AS began FROM omoide.worker) b GROUP BY b.began`,
      );
      if (row?.left === "0") {
        await database.end();
        return row;
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
export async function naiveTwice(ground: Ground, load: Load): Promise<number> {
  return await ground.withSystem(async (system) => {
    const database = await open(system.adminUrl);
    await database.query(
      "CREATE TABLE naive (id bigserial PRIMARY KEY, content bytea, hot boolean DEFAULT false, " +
        "cold boolean DEFAULT false); ALTER TABLE naive ALTER content SET STORAGE EXTERNAL",
    );
    for (let i = 0; i < load.count; i++) {
      await database.query("INSERT INTO naive (content) VALUES ($1)", [randomBytes(load.size)]);
    }
    await database.end();
    await run("sync");
    const script = new URL("./naive.ts", import.meta.url).pathname;
    return await seconds(() =>
      Promise.all(system.storages.map(async ({ name, root }) => {
        await Deno.mkdir(root);
        await run(Deno.execPath(), "run", "-A", script, system.adminUrl, root, name);
      }))
    );
  });
}

/** Plain tools that copy the same bytes twice, from files that are in memory. */
export const COPIES = {
  /** `cp -r`, `cp -r`, `sync` */
  "cp, cp, sync": async (from: string, to: readonly string[]) => {
    for (const each of to) await run("cp", "-r", from, each);
  },
  /** The same side by side, as the workers are. */
  "cp & cp, sync": async (from: string, to: readonly string[]) => {
    await Promise.all(to.map((each) => run("cp", "-r", from, each)));
  },
  /** And each copy checked, as a worker checks what it stores. */
  "cp & cp, each sha256sum, sync": async (from: string, to: readonly string[]) => {
    await Promise.all(to.map(async (each) => {
      await run("cp", "-r", from, each);
      await run("sh", "-c", `sha256sum '${each}'/*`);
    }));
  },
} as const;

export type Copy = keyof typeof COPIES;

/** Seconds in which these tools copy the load twice and `sync` it. */
export async function copyTwice(ground: Ground, load: Load, copy: Copy): Promise<number> {
  const directory = await ground.freshDirectory();
  const from = `${directory}/from`;
  await Deno.mkdir(from);
  for (let i = 0; i < load.count; i++) {
    await Deno.writeFile(`${from}/${i}.jpg`, randomBytes(load.size));
  }
  await run("sync");
  return await seconds(async () => {
    await COPIES[copy](from, [`${directory}/hot`, `${directory}/cold`]);
    await run("sync");
  });
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
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

async function run(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code === 0) return;
  throw new Error(`${command} ended with ${code}: ${new TextDecoder().decode(stderr).trim()}`);
}
