/** Reading a request's body: what is being stored goes on while more comes in. */
import assert from "node:assert/strict";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { PortionPool } from "../../src/gateway/portion_pool.ts";
import { ReadBuffers } from "../../src/gateway/read_buffers.ts";
import { PORTION_BYTES, receive } from "../../src/gateway/receive.ts";

const PIECE_BYTES = 64 * 1024;
const PIECES = 4 * PORTION_BYTES / PIECE_BYTES;

Deno.test("a portion is sent while the next comes in, however fast that is", async () => {
  let seen = 0;
  let stored = 0;
  let mostInATurn = 0;
  await receive(atOnce(), {
    portions: new PortionPool(3, PORTION_BYTES),
    reads: new ReadBuffers(),
    stop: new AbortController().signal,
  }, {
    see: ({ length }) => void (seen += length),
    // As a socket, which takes a part at each turn of the event loop.
    async store({ length }) {
      for (let turns = 0; turns < 8; turns++) {
        const before = seen;
        await eventLoopTurn();
        mostInATurn = Math.max(mostInATurn, seen - before);
      }
      stored += length;
    },
  });
  assert.equal(stored, PIECES * PIECE_BYTES);
  assert.ok(mostInATurn <= 2 * PIECE_BYTES, `${mostInATurn} bytes were read in one turn`);
});

/** A body that has come in whole before it is read. */
function atOnce(): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    Array.from({ length: PIECES }, () => new Uint8Array(PIECE_BYTES)),
  );
}
