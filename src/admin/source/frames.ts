/**
 * What a process that reads a tree sends to the one that asked: a byte for the kind, four for the
 * length (big-endian), then that many bytes. An answer is any number of values and bytes, then `end` or
 * `error`.
 */
export const KINDS = ["value", "bytes", "end", "error"] as const;
export type Kind = (typeof KINDS)[number];

export interface Frame {
  readonly kind: Kind;
  readonly payload: Uint8Array;
}

const HEADER = 5;
/** A piece of a file is at most 1 MiB, a batch of entries far less. */
const MOST = 4 * 1024 * 1024;

export function encodeHeader(kind: Kind, length: number): Uint8Array {
  const header = new Uint8Array(HEADER);
  header[0] = KINDS.indexOf(kind);
  new DataView(header.buffer).setUint32(1, length);
  return header;
}

/** The frames of a stream. @throws {Error} they make no sense, or end within one */
export async function* readFrames(stream: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  let waiting: Uint8Array[] = [], length = 0, needed = HEADER;
  for await (const chunk of stream) {
    waiting.push(chunk);
    length += chunk.length;
    // Joined once for each frame, not for each chunk: a piece of a file comes in sixteen.
    if (length < needed) continue;
    let bytes = joined(waiting, length);
    for (;;) {
      needed = HEADER;
      if (bytes.length < HEADER) break;
      const kind = KINDS[bytes[0] ?? KINDS.length];
      const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
      if (kind === undefined || size > MOST) throw new Error("an answer that makes no sense");
      needed = HEADER + size;
      if (bytes.length < needed) break;
      yield { kind, payload: bytes.subarray(HEADER, needed) };
      bytes = bytes.subarray(needed);
    }
    [waiting, length] = [[bytes], bytes.length];
  }
  if (length > 0) throw new Error("an answer that was cut off");
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
