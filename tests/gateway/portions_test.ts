/** The buffers that bodies are read into: who gets one, and that no byte is lost, doubled or out of its order. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { RefusedError } from "../../src/inbox/application/refusal.ts";
import { PortionPool } from "../../src/gateway/portion_pool.ts";
import { Portions } from "../../src/gateway/portions.ts";
import { ResumableSha256 } from "../../src/gateway/resumable_sha256.ts";
import { Random } from "../lab/random.ts";
import { pause, until } from "../lab/command.ts";

const BYTES = 1000;

Deno.test("whoever waits for a portion has those that stall hand theirs on, and gets it in its turn", async () => {
  const pool = new PortionPool(1, BYTES);
  const gone = { storeIfStalled: () => assert.fail("it holds none") };
  const portion = await pool.take(gone);
  pool.leave(gone);
  pool.give(portion);
  let isAsked = false;
  const held = await pool.take({ storeIfStalled: () => void (isAsked = true) });
  assert.equal(held, portion);
  const order: string[] = [];
  const waiting = ["first", "second"].map(async (name) => {
    const got = await pool.take({ storeIfStalled: () => {} });
    order.push(name);
    assert.equal(got.length, BYTES);
    pool.give(got);
  });
  await until("it is asked", () => isAsked);
  // As after a failure of the connection: another buffer takes its place.
  pool.lose();
  await Promise.all(waiting);
  assert.deepEqual(order, ["first", "second"]);
});

Deno.test("whatever comes in is stored once, in order, each time with the checksum so far", async () => {
  const random = new Random(7);
  const pool = new PortionPool(3, BYTES);
  await Promise.all(Array.from({ length: 12 }, async () => {
    const content = random.bytes(random.between(0, 20_000));
    const hash = await ResumableSha256.from(null);
    const stored: number[] = [];
    let isStoring = false;
    const portions = new Portions(pool, {
      see: (bytes) => hash.update(bytes),
      async store(bytes) {
        const { state } = hash;
        assert.ok(!isStoring, "two at once");
        isStoring = true;
        const copy = bytes.slice();
        await pause(random.between(0, 3));
        assert.deepEqual(bytes, copy, "written over while it was stored");
        stored.push(...bytes);
        const sofar = createHash("sha256").update(new Uint8Array(stored)).digest();
        assert.deepEqual((await ResumableSha256.from(state)).digest(), new Uint8Array(sofar));
        isStoring = false;
      },
    }, () => {});
    for (let at = 0; at < content.length;) {
      const end = at + random.between(1, 2_500);
      await portions.add(content.subarray(at, end));
      at = end;
      // As the timer does, while something else may be going on.
      if (random.below(3) === 0) portions.storeIfOlder(0);
      if (random.below(5) === 0) await pause(1);
    }
    await portions.flush();
    assert.deepEqual(new Uint8Array(stored), content);
  }));
});

Deno.test("a portion that was refused is used again, and whoever adds hears of it; a doubtful one is not", async () => {
  for (const error of [new RefusedError("inbox full", "full", ""), new Error("cut")]) {
    const pool = new PortionPool(1, BYTES);
    const first = await pool.take({ storeIfStalled: () => {} });
    pool.give(first);
    let failures = 0;
    const portions = new Portions(
      pool,
      { see: () => {}, store: () => Promise.reject(error) },
      () => failures++,
    );
    await assert.rejects(async () => {
      for (;;) await portions.add(new Uint8Array(BYTES / 2));
    }, error);
    assert.equal(failures, 1);
    portions.drop();
    const next = await pool.take({ storeIfStalled: () => {} });
    assert.equal(next === first, error instanceof RefusedError);
  }
});
