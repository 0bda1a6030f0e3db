import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import { streamMedia } from "../../src/inbox/application/submit.ts";
import { CHUNK_BYTES } from "../../src/inbox/copy/chunk_bytes.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { requireTools } from "../support/require_tool.ts";

const template = sharedTemplate();
const MiB = 1024 * 1024;

/** Around every bound at which the way of a media changes: chunk, memory, batch. */
const SIZES = [
  ...[0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES],
  ...[MiB - 1, MiB, MiB + 1, 5 * MiB + 7, 8 * MiB, 8 * MiB + 1, 20 * MiB + 3],
];

Deno.test("media of every size arrive byte for byte in both storages, and leave the inbox", async () => {
  await using world = await template().world();
  const random = new Random(1);
  for (const size of SIZES) {
    for (const mediaType of ["content", "preview", "thumbnail"]) {
      await world.submit(random.bytes(size), {
        ownerUuid: random.uuid(),
        itemUuid: random.uuid(),
        mediaType,
      });
    }
  }
  // A small batch, so that a media of 20 MiB needs several windows.
  for (const storage of ["hot", "cold"]) {
    const { code, output } = await world.drainOnce(storage, { args: ["--batch-bytes", "8MiB"] });
    assert.equal(code, 0, output);
  }
  await world.requireInvariants({ drained: true });
});

Deno.test({
  ...requireTools([]),
  name: "a media of 1 GiB is carried with less than 200 MB of memory",
  fn: async () => {
    await using world = await template().world();
    const hash = createHash("sha256");
    const content = async function* () {
      const piece = new Uint8Array(MiB);
      for (let i = 0; i < 1024; i++) {
        await Promise.resolve();
        randomFillSync(piece);
        hash.update(piece);
        yield piece;
      }
    };
    await streamMedia(await world.superuser(), {
      ownerUuid: crypto.randomUUID(),
      itemUuid: crypto.randomUUID(),
      mediaType: "content",
      ext: "mov",
    }, content());
    await using worker = world.start("hot");
    await worker.says(/stored 1 media, 1\.0 GiB/, { timeoutMs: 240_000 });
    const status = await Deno.readTextFile(`/proc/${worker.pid}/status`);
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    assert.ok(peak < 200e6, `the peak was ${peak} bytes`);
    const [receipt] = await world.query<{ path: string; size: string }>(
      "SELECT path, size FROM omoide.receipt",
    );
    assert.equal(receipt?.size, String(1024 * MiB));
    const file = await Deno.open(`${world.root("hot")}/${receipt?.path}`);
    const read = createHash("sha256");
    for await (const piece of file.readable) read.update(piece);
    assert.equal(read.digest("hex"), hash.digest("hex"));
  },
});

Deno.test("the same file twice, another one under its name, and a lost answer's repetition all live", async () => {
  await using world = await template().world();
  const random = new Random(2);
  const name = { ownerUuid: random.uuid(), itemUuid: random.uuid() };
  const first = random.bytes(5000);
  await world.submit(first, name);
  await world.submit(first, name);
  await world.submit(random.bytes(5000), name);
  await world.drainAll();
  await world.submit(first, name);
  await world.drainAll();
  await world.requireInvariants({ drained: true });
  const outcomes = await world.query<{ outcome: string; count: string }>(
    "SELECT outcome, count(*) FROM omoide.receipt WHERE storage = 'hot' GROUP BY outcome ORDER BY 1",
  );
  assert.deepEqual(outcomes, [{ outcome: "present", count: "2" }, {
    outcome: "stored",
    count: "2",
  }]);
});

Deno.test("media of which PostgreSQL sends the end in two parts are carried like any other", async () => {
  await using world = await template().world();
  const random = new Random(6);
  const name = () => ({ ownerUuid: random.uuid(), itemUuid: random.uuid() });
  // Its send buffer has 8 KiB: somewhere here it is flushed between the data's end and the answer's.
  for (let size = 8060; size < 8140; size++) {
    for (let i = 0; i < 4; i++) await world.submit(random.bytes(size), name());
  }
  const { code, output } = await world.drainOnce("hot", { args: ["--batch-files", "1"] });
  assert.equal(code, 0, output);
  assert.equal(await world.receipts("hot"), 320);
});

Deno.test("a full disk counts against no media, however often a worker is started beside it", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(11), 3);
  // A media that failed before goes alone, its attempt counted before it is made.
  await world.query("UPDATE omoide.delivery SET attempts = 1");
  const attempts = () =>
    world.query(
      "SELECT attempts, parked_at FROM omoide.owed WHERE storage = 'hot' ORDER BY media_id",
    );
  const before = await attempts();
  // More starts than the attempts after which a media is parked.
  for (let start = 1; start <= 7; start++) {
    const { code, output } = await world.drainOnce("hot", { args: ["--reserve", "99.9%"] });
    assert.equal(code, 3, output);
    assert.match(output, /has no room for a media/);
  }
  assert.deepEqual(await attempts(), before);
  await world.drainAll();
  await world.requireInvariants({ drained: true });
});

Deno.test("a large media that is here already is not read from the inbox again", async () => {
  await using world = await template().world();
  const random = new Random(12);
  const large = await world.submit(random.bytes(5 * MiB), {
    ownerUuid: random.uuid(),
    itemUuid: random.uuid(),
  });
  await world.submitMany(random, 3);
  assert.equal((await world.drainOnce("hot")).code, 0);
  // As if the worker had died behind the link; and what it would read now could only be refused.
  await world.query(
    "INSERT INTO omoide.delivery (storage_id, media_id, size) SELECT storage_id, media_id, size " +
      "FROM omoide.stored JOIN omoide.media ON id = media_id",
  );
  await world.query("DELETE FROM omoide.stored");
  await world.query("UPDATE omoide.media_chunk SET bytes = 'x' WHERE media_id = $1", [large.id]);
  const { code, output } = await world.drainOnce("hot");
  assert.equal(code, 0, output);
  const receipts = await world.query<{ media_id: string; outcome: string }>(
    "SELECT media_id, outcome FROM omoide.stored ORDER BY media_id",
  );
  assert.deepEqual(receipts.map(({ outcome }) => outcome), Array(4).fill("present"));
  assert.equal(receipts[0]?.media_id, String(large.id));
});
