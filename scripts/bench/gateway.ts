/**
 * Measures the gateway on this machine, on an embedded PostgreSQL with fsync on: one large upload against
 * append_chunk alone by the same driver, many small ones at once against one after the other, and what
 * 200 watchers cost who see nothing happen.
 *
 *     deno run -A scripts/bench/gateway.ts [--mib 256] [--rounds 3]
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { connect } from "../../src/inbox/connect.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { streamMedia } from "../../src/inbox/application/submit.ts";
import { roleOf } from "../../src/inbox/role_names.ts";
import { makeInbox, startPostgres } from "../../tests/support/postgres.ts";
import { gatewayLaunch } from "../lib/http_launch.ts";
import { denoArguments } from "../lib/program_command.ts";

const MIB = 1024 * 1024;
const OWNER = "0a0a0a0a-0000-4000-8000-0000000000aa";
const TOKEN = "b".repeat(43);

const { values } = parseArgs({
  options: { mib: { type: "string", default: "256" }, rounds: { type: "string", default: "3" } },
});
const bytes = Number(values.mib) * MIB;
const block = crypto.getRandomValues(new Uint8Array(64 * 1024));

function pieces(size: number): ReadableStream<Uint8Array> {
  let left = size;
  return new ReadableStream({
    pull(controller) {
      const piece = block.subarray(0, left);
      left -= piece.length;
      controller.enqueue(piece.slice());
      if (left === 0) controller.close();
    },
  });
}

await using pg = await startPostgres();
const inbox = await makeInbox(pg);
await inbox.admin.query(
  "INSERT INTO omoide.token (sha256, owner_uuid, label) VALUES ($1, $2, 'bench')",
  [createHash("sha256").update(TOKEN).digest(), OWNER],
);
await inbox.admin.query(
  "UPDATE omoide.settings SET max_inbox_bytes = 1e12, max_inbox_disk_bytes = 1e12",
);
const database = pg.url(inbox.database, roleOf("app"));
const port = 18081;
const launch = gatewayLaunch(["--listen", `127.0.0.1:${port}`, "--database", database]);
const gateway = new Deno.Command(Deno.execPath(), {
  args: denoArguments(launch),
  stdin: "null",
  stdout: "null",
  stderr: "null",
}).spawn();
const url = `http://127.0.0.1:${port}`;
const headers = { authorization: `Bearer ${TOKEN}` };
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

async function put(size: number): Promise<void> {
  const answer = await fetch(`${url}/media/${OWNER}/${crypto.randomUUID()}/content.mov`, {
    method: "PUT",
    headers,
    body: new Blob(Array.from({ length: size / block.length }, () => block)),
  });
  const text = await answer.text();
  if (answer.status !== 201) throw new Error(`${answer.status} ${text}`);
}

/** Processor seconds that a process has used. */
async function processor(pid: number): Promise<number> {
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

try {
  const alone = await connect(parseDatabaseUrl(database, roleOf("app")), {}, "bench");
  for (let round = 0; round < Number(values.rounds); round++) {
    const direct = await seconds(() =>
      streamMedia(alone, {
        ownerUuid: OWNER,
        itemUuid: crypto.randomUUID(),
        mediaType: "content",
        ext: "mov",
      }, pieces(bytes))
    );
    const before = await processor(gateway.pid);
    const through = await seconds(() => put(bytes));
    const used = await processor(gateway.pid) - before;
    console.log(
      `one of ${values.mib} MiB: append_chunk alone ${direct.toFixed(1)} s, through the gateway ` +
        `${through.toFixed(1)} s (${(direct / through).toFixed(2)} of it; gateway's processor ${
          used.toFixed(1)
        } s)`,
    );
  }
  await alone.end();
  for (let round = 0; round < Number(values.rounds); round++) {
    const one = await seconds(async () => {
      for (let i = 0; i < 16; i++) await put(2 * MIB);
    });
    const many = await seconds(() => Promise.all(Array.from({ length: 16 }, () => put(2 * MIB))));
    console.log(
      `16 of 2 MiB: one after the other ${one.toFixed(2)} s, at once ${many.toFixed(2)} s ` +
        `(${(one / many).toFixed(1)} times)`,
    );
  }
  await inbox.admin.query("UPDATE omoide.media SET released_at = now()");
  const watchers = await Promise.all(
    Array.from({ length: 200 }, () => fetch(`${url}/events`, { headers })),
  );
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const before = await processor(gateway.pid);
  await new Promise((resolve) => setTimeout(resolve, 30_000));
  const share = (await processor(gateway.pid) - before) / 30;
  console.log(`200 idle watchers: ${(share * 100).toFixed(1)} % of a core in the gateway`);
  for (const { body } of watchers) await body?.cancel();
} finally {
  gateway.kill("SIGKILL");
  await gateway.status;
  await inbox.admin.end();
}
