import assert from "node:assert/strict";
import fc from "fast-check";
import { CopyBinaryParser } from "../../../src/inbox/copy/copy_binary.ts";

interface Row {
  mediaId: bigint;
  seq: number;
  bytes: Uint8Array;
}

const SIGNATURE = [0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00];

/** The binary form of these rows, as PostgreSQL's manual describes it. */
function encode(rows: readonly Row[]): Uint8Array {
  const parts: Uint8Array[] = [new Uint8Array([...SIGNATURE, 0, 0, 0, 0, 0, 0, 0, 0])];
  for (const { mediaId, seq, bytes } of rows) {
    const header = new DataView(new ArrayBuffer(26));
    header.setInt16(0, 3);
    header.setInt32(2, 8);
    header.setBigInt64(6, mediaId);
    header.setInt32(14, 4);
    header.setInt32(18, seq);
    header.setInt32(22, bytes.length);
    parts.push(new Uint8Array(header.buffer), bytes);
  }
  parts.push(new Uint8Array([0xff, 0xff]));
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function decode(pieces: readonly Uint8Array[]): { rows: Row[]; ended: boolean } {
  const parser = new CopyBinaryParser();
  const rows: Row[] = [];
  for (const piece of pieces) {
    for (const { mediaId, seq, chunkLength, at, bytes } of parser.push(piece)) {
      if (at === 0) rows.push({ mediaId, seq, bytes: new Uint8Array(chunkLength) });
      rows.at(-1)?.bytes.set(bytes, at);
    }
  }
  return { rows, ended: parser.ended };
}

const rowArbitrary = fc.record({
  mediaId: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
  seq: fc.nat(),
  bytes: fc.uint8Array({ maxLength: 200 }),
}, { noNullPrototype: true });

Deno.test("rows come out as they went in, wherever the network cuts them", () => {
  fc.assert(fc.property(fc.array(rowArbitrary), fc.array(fc.nat(300)), (rows, cuts) => {
    const whole = encode(rows);
    const pieces = [];
    let from = 0;
    for (const cut of cuts) {
      pieces.push(whole.subarray(from, from + cut));
      from = Math.min(whole.length, from + cut);
    }
    pieces.push(whole.subarray(from));
    assert.deepEqual(decode(pieces), { rows, ended: true });
  }));
});

Deno.test("a stream that stops early is told from one that ended", () => {
  const whole = encode([{ mediaId: 7n, seq: 0, bytes: new Uint8Array(100) }]);
  for (let length = 0; length < whole.length; length++) {
    assert.equal(decode([whole.subarray(0, length)]).ended, false);
  }
});

Deno.test("bytes that are not this form are refused, not guessed at", () => {
  const whole = encode([{ mediaId: 7n, seq: 0, bytes: new Uint8Array(10) }]);
  for (const at of [0, 10, 12, 16, 20, 24, 34]) {
    const spoilt = whole.slice();
    spoilt[at] = (spoilt[at] ?? 0) ^ 0x40;
    assert.throws(() => decode([spoilt]), TypeError, `byte ${at}`);
  }
  assert.throws(() => decode([whole, new Uint8Array([0])]), TypeError);
});
