import { createHash } from "node:crypto";
import { appendUpload, cancelUpload, type UploadKey } from "../inbox/application/uploads.ts";
import type { Gateway } from "./gateway.ts";
import { digestHeader, sameBytes } from "./headers.ts";
import { inconsistentLength, type Problem, problem } from "./problem.ts";
import { BodyError, receive } from "./receive.ts";
import { ResumableSha256 } from "./resumable_sha256.ts";

/** Where an upload stands, with what its checksum goes on from. */
export interface Standing {
  readonly offset: number;
  readonly size: number;
  readonly hashState: Uint8Array | null;
}

/** How many bytes a request says it brings; null if it does not say. @throws {Problem} if it is no number */
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
  const hash = await ResumableSha256.from(hashState);
  const content = expected === null ? null : createHash("sha256");
  let at = offset;
  if (request.body !== null) {
    await receive(request.body, gateway, {
      see(bytes) {
        hash.update(bytes);
        content?.update(bytes);
      },
      async store(bytes) {
        if (at + bytes.length > size) throw tooMuch(at + bytes.length, size);
        at = await appendUpload(gateway.inbox, upload, at, bytes, hash.state);
      },
    });
  }
  if (announced !== null && at - offset !== announced) throw new BodyError("cut");
  if (expected !== null && content !== null && !sameBytes(content.digest(), expected)) {
    // Which of the bytes that were stored are right is unknown.
    await cancelUpload(gateway.inbox, upload);
    throw otherDigest("Content-Digest");
  }
  return { offset: at, sha256: hash.digest() };
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
