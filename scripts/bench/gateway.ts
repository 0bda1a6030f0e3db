/**
 * Measures the gateway on this machine, on an embedded PostgreSQL with fsync on: one large upload against
 * append_chunk alone by the same driver, many small ones at once against one after the other, and what
 * 200 watchers cost who see nothing happen.
 *
 *     deno run -A scripts/bench/gateway.ts [--mib 1024] [--rounds 3] [--only large,small,watchers]
 */
import { createHash, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { connect } from "../../src/inbox/connect.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { streamMedia } from "../../src/inbox/application/submit.ts";
import { roleOf } from "../../src/inbox/role_names.ts";
import { freePort } from "../../tests/support/free_port.ts";
import { makeInbox, startPostgres } from "../../tests/support/postgres.ts";
import { gatewayLaunch } from "../lib/http_launch.ts";
import { denoArguments } from "../lib/program_command.ts";

const MIB = 1024 * 1024;
/** 200 people, each with a device. */
const PEOPLE = Array.from({ length: 200 }, (_, i) => ({
  owner: `0a0a0a0a-0000-4000-8000-${String(i).padStart(12, "0")}`,
  token: String(i).padStart(43, "b"),
}));
const [{ owner: OWNER, token: TOKEN } = { owner: "", token: "" }] = PEOPLE;

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "1024" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "large,small,watchers" },
  },
});
const rounds = Array.from({ length: Number(values.rounds) });
const bytes = Number(values.mib) * MIB;
const block = randomBytes(MIB);

async function* pieces(size: number): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; left -= block.length) yield block.subarray(0, left);
}

await using pg = await startPostgres();
const inbox = await makeInbox(pg);
for (const { owner, token } of PEOPLE) {
  await inbox.admin.query(
    "INSERT INTO omoide.token (sha256, owner_uuid, label) VALUES ($1, $2, 'bench')",
    [createHash("sha256").update(token).digest(), owner],
  );
}
await inbox.admin.query(
  "UPDATE omoide.settings SET max_inbox_bytes = 1e12, max_inbox_disk_bytes = 1e12, " +
    "max_pending_bytes = 1e12, max_media_bytes = 1e11, owner_bytes_per_day = 1e13, all_bytes_per_day = 1e13",
);
const database = pg.url(inbox.database, roleOf("app"));
const port = freePort();
const launch = gatewayLaunch(["--listen", `127.0.0.1:${port}`, "--database", database]);
const gateway = new Deno.Command(Deno.execPath(), {
  args: denoArguments(launch),
  stdin: "null",
  stdout: "null",
  stderr: "null",
}).spawn();
const url = `http://127.0.0.1:${port}`;
for (;;) {
  try {
    await (await fetch(url)).body?.cancel();
    break;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Over a bare connection: a client that costs as little as one can, as it runs on the same processors. */
async function put(size: number): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = `PUT /media/${OWNER}/${crypto.randomUUID()}/content.mov HTTP/1.1\r\nHost: x\r\n` +
    `Authorization: Bearer ${TOKEN}\r\nContent-Length: ${size}\r\n\r\n`;
  await writeAll(connection, new TextEncoder().encode(head));
  for await (const piece of pieces(size)) await writeAll(connection, piece);
  const answer = new Uint8Array(2000);
  const length = await connection.read(answer) ?? 0;
  const text = new TextDecoder().decode(answer.subarray(0, length));
  if (!text.startsWith("HTTP/1.1 201")) throw new Error(text);
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Processor seconds that a process has used. */
async function processor(pid: number): Promise<number> {
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Busy and all seconds of all processors of this machine. */
async function machine(): Promise<{ readonly busy: number; readonly all: number }> {
  const [line = ""] = (await Deno.readTextFile("/proc/stat")).split("\n");
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, each) => sum + each, 0) / 100;
  return { all, busy: all - ((ticks[3] ?? 0) + (ticks[4] ?? 0)) / 100 };
}

async function peakMib(): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${gateway.pid}/status`);
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}

async function large(): Promise<void> {
  const alone = await connect(parseDatabaseUrl(database, roleOf("app")), {}, "bench");
  for (const _ of rounds) {
    const direct = await seconds(() =>
      streamMedia(alone, {
        ownerUuid: OWNER,
        itemUuid: crypto.randomUUID(),
        mediaType: "content",
        ext: "mov",
      }, pieces(bytes))
    );
    await clear();
    const before = await processor(gateway.pid);
    const through = await seconds(() => put(bytes));
    const used = await processor(gateway.pid) - before;
    await clear();
    console.log(
      `one of ${values.mib} MiB: append_chunk alone ${direct.toFixed(1)} s, through the gateway ` +
        `${through.toFixed(1)} s (${(direct / through).toFixed(2)} of its speed; ${
          used.toFixed(1)
        } s of the gateway's processor; ${await peakMib()} MiB resident at most)`,
    );
  }
  await alone.end();
}

/** Each begins with the same: nothing to write back, nothing in the inbox. */
async function clear(): Promise<void> {
  await inbox.admin.query("UPDATE omoide.media SET released_at = now() WHERE released_at IS NULL");
  await inbox.admin.query("DELETE FROM omoide.delivery");
  await (await inbox.as("hot")).query("SELECT * FROM omoide.recycle(true)");
  await inbox.admin.query("CHECKPOINT");
}

async function small(): Promise<void> {
  for (const _ of rounds) {
    const one = await seconds(async () => {
      for (let i = 0; i < 16; i++) await put(2 * MIB);
    });
    const before = await machine();
    const many = await seconds(() => Promise.all(Array.from({ length: 16 }, () => put(2 * MIB))));
    const after = await machine();
    console.log(
      `16 of 2 MiB: one after the other ${one.toFixed(2)} s, at once ${many.toFixed(2)} s ` +
        `(${(one / many).toFixed(1)} times; processors ${
          Math.round(100 * (after.busy - before.busy) / (after.all - before.all))
        } % busy)`,
    );
    await clear();
  }
}

async function watchers(): Promise<void> {
  for (const { owner, token } of PEOPLE) {
    const path = `${url}/media/${owner}/${crypto.randomUUID()}/content.jpg`;
    const headers = { authorization: `Bearer ${token}` };
    await (await fetch(path, { method: "PUT", headers, body: "a picture" })).body?.cancel();
  }
  await clear();
  const answers = await Promise.all(
    PEOPLE.map(({ token }) =>
      fetch(`${url}/events`, { headers: { authorization: `Bearer ${token}` } })
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const before = await processor(gateway.pid);
  await new Promise((resolve) => setTimeout(resolve, 30_000));
  const share = (await processor(gateway.pid) - before) / 30;
  console.log(`200 idle watchers: ${(share * 100).toFixed(1)} % of a core in the gateway`);
  for (const { body } of answers) await body?.cancel();
}

try {
  const load = (await Deno.readTextFile("/proc/loadavg")).split(" ")[0];
  console.log(`load ${load} on ${navigator.hardwareConcurrency} processors`);
  const parts = { large, small, watchers };
  for (const name of values.only.split(",") as (keyof typeof parts)[]) await parts[name]();
} finally {
  gateway.kill("SIGKILL");
  await gateway.status;
  await inbox.admin.end();
}
