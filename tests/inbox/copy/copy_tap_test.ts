import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { CopyTap } from "../../../src/inbox/copy/copy_tap.ts";

interface Message {
  readonly type: string;
  readonly body: Uint8Array;
}

const message: fc.Arbitrary<Message> = fc.record({
  type: fc.constantFrom("d", "d", "d", "C", "Z", "E", "c"),
  body: fc.uint8Array({ maxLength: 40 }),
});

function encode({ type, body }: Message): Uint8Array {
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = type.charCodeAt(0);
  new DataView(bytes.buffer).setInt32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Cuts bytes at these places, as the network might. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length];
  let from = 0;
  return ends.toSorted((a, b) => a - b).map((end) => bytes.slice(from, from = end));
}

/** Pushes the pieces through one buffer that is used again, Node's or a plain one, as sockets do. */
async function pushAll(
  tap: CopyTap,
  pieces: readonly Uint8Array[],
  ofNode: boolean,
): Promise<void> {
  const length = Math.max(...pieces.map(({ length }) => length));
  const buffer = ofNode ? Buffer.alloc(length) : new Uint8Array(length);
  for (const piece of pieces) {
    buffer.set(piece);
    await tap.push(buffer.subarray(0, piece.length));
  }
}

Deno.test("however the network cuts them, COPY's bytes go one way and all other messages the other", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.boolean(),
      fc.boolean(),
      async (messages, places, slowly, ofNode) => {
        const copied: Uint8Array[] = [];
        const passedOn: Uint8Array[] = [];
        const tap = new CopyTap((bytes) => passedOn.push(bytes));
        tap.consumer = (bytes) => {
          if (!slowly) return void copied.push(new Uint8Array(bytes));
          return Promise.resolve().then(() => void copied.push(new Uint8Array(bytes)));
        };
        await pushAll(tap, cut(concat(messages.map(encode)), places), ofNode);
        const isCopy = ({ type }: Message) => type === "d";
        assert.deepEqual(concat(copied), concat(messages.filter(isCopy).map(({ body }) => body)));
        assert.deepEqual(
          concat(passedOn),
          concat(messages.filter((each) => !isCopy(each)).map(encode)),
        );
      },
    ),
  );
});

Deno.test("nothing more is taken while a consumer is not done with what it has", async () => {
  const tap = new CopyTap(() => {});
  const done = Promise.withResolvers<void>();
  const seen: number[] = [];
  tap.consumer = (bytes) => {
    seen.push(bytes.length);
    return done.promise;
  };
  const one = encode({ type: "d", body: new Uint8Array(3) });
  const pushed = tap.push(concat([one, one]));
  assert.deepEqual(seen, [3]);
  done.resolve();
  await pushed;
  assert.deepEqual(seen, [3, 3]);
});

Deno.test("bytes that nobody reads are dropped, and the driver learns that the COPY is over", async () => {
  const passedOn: Uint8Array[] = [];
  const tap = new CopyTap((bytes) => passedOn.push(bytes));
  const over = encode({ type: "Z", body: new Uint8Array([73]) });
  await tap.push(concat([encode({ type: "d", body: new Uint8Array(100) }), over]));
  assert.deepEqual(concat(passedOn), over);
});

Deno.test("what is not PostgreSQL's protocol is refused", () => {
  const tap = new CopyTap(() => {});
  assert.throws(() => tap.push(new Uint8Array([0x64, 0, 0, 0, 3])), /message of length 3/);
});
