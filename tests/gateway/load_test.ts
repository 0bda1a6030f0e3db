/** Two hundred at once, not all of them with good manners: nothing is lost, nobody else is refused. */
import assert from "node:assert/strict";
import { Random } from "../lab/random.ts";
import {
  bearer,
  bytesOf,
  digestOf,
  type Gateway,
  hexOf,
  OWNER,
  stage,
  writeAll,
} from "./support/stage.ts";

const MiB = 1024 * 1024;
/** What the gateway may have in memory at the most. Measured: 133 to 145 MB. */
const MOST_RESIDENT = 200_000_000;
/** Less than a second where nothing else runs; tests run side by side. */
const LONGEST_TRANSACTION_MS = 5_000;
const HONEST = 120;
const SLOW = 40;
const HOSTILE = 40;

Deno.test("200 uploads at once, slow, aborted, oversized and hostile ones among them", () =>
  stage(async ({ gateway, inbox }) => {
    await inbox.admin.query("UPDATE omoide.settings SET owner_pending_uploads = 1000");
    const random = new Random(13);
    const before = await peakResident(gateway.pid);
    const over = new AbortController();
    const watching = watchTransactions(inbox.admin, over.signal);
    const [honest, slow] = await Promise.all([
      Promise.all(Array.from({ length: HONEST }, (_, i) => uploadHonestly(gateway, i, random))),
      Promise.all(Array.from({ length: SLOW }, (_, i) => uploadSlowly(gateway, i))),
      Promise.all(Array.from({ length: HOSTILE }, (_, i) => misbehave(gateway, i))),
    ]);
    over.abort();
    const oldest = await watching;
    const { rows } = await inbox.admin.query<{ sha256: string }>(
      "SELECT encode(sha256, 'hex') AS sha256 FROM omoide.media",
    );
    // What was sent, each once, and not one that nobody sent.
    assert.deepEqual(rows.map(({ sha256 }) => sha256).sort(), [...honest, ...slow].sort());
    const resident = await peakResident(gateway.pid);
    console.log(
      `resident ${Math.round(before / MiB)} MiB before; peak resident ${
        Math.round(resident / MiB)
      } MiB, oldest transaction ${oldest} ms`,
    );
    assert.ok(resident < MOST_RESIDENT, `${Math.round(resident / MiB)} MiB resident`);
    assert.ok(oldest < LONGEST_TRANSACTION_MS, `a transaction of ${oldest} ms`);
  }));

/** In parts or whole, as the page and other clients do. @returns the SHA-256 of what was stored */
async function uploadHonestly(gateway: Gateway, i: number, random: Random): Promise<string> {
  const content = bytesOf(200_000 + random.below(2_000_000), i);
  const item = crypto.randomUUID();
  if (i % 3 === 0) {
    const path = `/media/${OWNER}/${item}/content.jpg`;
    const { status, text } = await gateway.send(
      "PUT",
      path,
      {},
      content as Uint8Array<ArrayBuffer>,
    );
    assert.equal(status, 201, text);
    return hexOf(content);
  }
  const upload = await gateway.open(item, content.length);
  for (let at = 0; at < content.length;) {
    const end = Math.min(at + 700_000, content.length);
    const isLast = end === content.length;
    const digest: Record<string, string> = isLast ? { "repr-digest": digestOf(content) } : {};
    const sent = await gateway.patch(upload, at, content.subarray(at, end), isLast, digest);
    assert.ok(sent.status < 300, sent.text);
    at = end;
  }
  return hexOf(content);
}

/** A few bytes at a time, cut once in the middle. */
async function uploadSlowly(gateway: Gateway, i: number): Promise<string> {
  const content = bytesOf(400_000, 1000 + i);
  const upload = await gateway.open(crypto.randomUUID(), content.length);
  const head = (offset: number) =>
    `PATCH ${upload} HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Type: application/partial-upload\r\n` +
    `Upload-Offset: ${offset}\r\nUpload-Complete: ?1\r\nContent-Length: ${
      content.length - offset
    }\r\n\r\n`;
  const first = await gateway.raw(head(0));
  for (let at = 0; at < 150_000; at += 15_000) {
    await writeAll(first, content.subarray(at, at + 15_000));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  first.close();
  for (;;) {
    const offset = await gateway.offset(upload);
    const { status, text } = await gateway.patch(upload, offset, content.subarray(offset), true);
    // The cut request may still have been storing what it had.
    if (status === 409) continue;
    assert.equal(status, 201, text);
    return hexOf(content);
  }
}

/** Each in another way; whatever comes of it, nothing is stored. */
async function misbehave(gateway: Gateway, i: number): Promise<void> {
  const path = `/media/${OWNER}/${crypto.randomUUID()}/content.mov`;
  const content = bytesOf(500_000, 5000 + i) as Uint8Array<ArrayBuffer>;
  const refused = async (sent: Promise<{ status: number; text: string }>) => {
    const { status, text } = await sent;
    assert.ok(status >= 400, `${i % 9}: ${status} ${text}`);
  };
  switch (i % 9) {
    case 0:
      return await refused(
        gateway.send("PUT", path, { "repr-digest": digestOf(bytesOf(9)) }, content),
      );
    case 1:
      return await refused(gateway.send("POST", path, {
        "upload-complete": "?0",
        "upload-length": String(5 * 1024 ** 4),
      }));
    case 2: {
      const upload = await gateway.open(crypto.randomUUID(), 1000);
      return await refused(gateway.patch(upload, 0, content, true));
    }
    case 3: {
      const upload = await gateway.open(crypto.randomUUID(), content.length);
      return await refused(gateway.patch(upload, 100, content.subarray(100), true));
    }
    case 4:
      return await refused(
        gateway.send("PUT", path.replace("content.mov", "..%2f..%2fetc"), {}, content),
      );
    case 5:
      return await refused(
        gateway.send("PUT", path, { authorization: "Bearer nobody" }, content, null),
      );
    case 6: {
      // Gone in the middle of a whole file.
      const head = `PUT ${path} HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Length: 5000000\r\n\r\n`;
      const connection = await gateway.raw(head);
      await writeAll(connection, content);
      return connection.close();
    }
    case 7: {
      // A byte at a time: each read of one must not hold a buffer of its own.
      const upload = await gateway.open(crypto.randomUUID(), content.length);
      const connection = await gateway.raw(
        `PATCH ${upload} HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Type: application/partial-upload\r\n` +
          `Upload-Offset: 0\r\nUpload-Complete: ?1\r\nContent-Length: ${content.length}\r\n\r\n`,
      );
      connection.setNoDelay(true);
      for (let at = 0; at < 500; at++) {
        await writeAll(connection, content.subarray(at, at + 1));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return connection.close();
    }
    default: {
      // Opens, and never comes back.
      await gateway.open(crypto.randomUUID(), content.length);
      const connection = await gateway.raw(`PUT ${path} HTTP/1.1\r\nHost: x\r\n${bearer()}`);
      return connection.close();
    }
  }
}

/** @returns how old a transaction of the application became, in milliseconds */
async function watchTransactions(
  admin: { query(text: string): Promise<{ rows: { age: number | null }[] }> },
  over: AbortSignal,
): Promise<number> {
  let oldest = 0;
  while (!over.aborted) {
    const { rows } = await admin.query(
      "SELECT max(extract(epoch FROM clock_timestamp() - xact_start) * 1000)::int AS age " +
        "FROM pg_stat_activity WHERE usename = 'omoide_app'",
    );
    oldest = Math.max(oldest, rows[0]?.age ?? 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return oldest;
}

async function peakResident(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
