import { createSHA256 } from "hash-wasm";
import { appendUpload, cancelUpload, type UploadKey } from "../inbox/application/uploads.ts";
import type { Gateway } from "./gateway.ts";
import { digestHeader, sameBytes } from "./headers.ts";
import { inconsistentLength, type Problem, problem } from "./problem.ts";
import { BodyError, receive } from "./receive.ts";

/** Where an upload stands, with what its checksum goes on from. */
export interface Standing {
  readonly offset: number;
  readonly size: number;
  readonly hashState: Uint8Array | null;
}

/**
 * A checksum that can be put aside and gone on with in another process. `node:crypto` cannot; its five
 * times the speed would not show, as the database takes ten times as long.
 */
type Hash = Awaited<ReturnType<typeof createSHA256>>;

async function hashFrom(state: Uint8Array | null): Promise<Hash> {
  const hash = await createSHA256();
  if (state === null) hash.init();
  else hash.load(new Uint8Array(state));
  return hash;
}

/** How many bytes a request says it brings; null where it does not say. @throws {Problem} nonsense */
export function contentLength(request: Request): number | null {
  const text = request.headers.get("content-length");
  return text === null ? null : Number(text);
}

/**
 * Stores a request's body at the end of an upload, a portion at a time. A cut keeps what has come in.
 *
 * @returns the offset then, and the checksum over everything so far
 * @throws {Problem} more bytes than the upload has room for; a Content-Digest of other bytes
 */
export async function appendBody(
  gateway: Gateway,
  upload: UploadKey,
  { offset, size, hashState }: Standing,
  request: Request,
): Promise<{ readonly offset: number; readonly sha256: Uint8Array }> {
  const announced = contentLength(request);
  const expected = digestHeader(request.headers, "content-digest");
  if (announced !== null && offset + announced > size) throw tooMuch(offset + announced, size);
  const hash = await hashFrom(hashState);
  const content = expected === null ? null : (await createSHA256()).init();
  let at = offset;
  if (request.body !== null) {
    await receive(request.body, gateway, async (bytes) => {
      if (at + bytes.length > size) throw tooMuch(at + bytes.length, size);
      hash.update(bytes);
      content?.update(bytes);
      at = await appendUpload(gateway.inbox, upload, at, bytes, hash.save());
    });
  }
  if (announced !== null && at - offset !== announced) throw new BodyError("cut");
  if (expected !== null && content !== null && !sameBytes(content.digest("binary"), expected)) {
    // What was stored on its word cannot be told from what is right any more.
    await cancelUpload(gateway.inbox, upload);
    throw otherDigest("Content-Digest");
  }
  return { offset: at, sha256: hash.digest("binary") };
}

function tooMuch(bytes: number, size: number): Problem {
  return inconsistentLength(
    `The upload was opened for ${size} bytes; with these it would have ${bytes}. Nothing of what is too ` +
      "much was stored.",
  );
}

/** The bytes that came are not those that were sent. */
export function otherDigest(header: string): Problem {
  return problem(
    ...[422, "other-digest", `${header} is that of other bytes`] as const,
    "The bytes changed on their way, or the file changed meanwhile. Nothing was stored: begin again at 0.",
  );
}
