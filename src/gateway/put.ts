import { createHash } from "node:crypto";
import { submitUnlessThere } from "../inbox/application/small_media.ts";
import { cancelUpload, finishUpload, openUpload } from "../inbox/application/uploads.ts";
import { appendBody, contentLength, otherDigest } from "./body.ts";
import { describe } from "./description.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { digestHeader, sameBytes } from "./headers.ts";
import { problem } from "./problem.ts";
import { BodyError, PORTION_BYTES, receive } from "./receive.ts";
import { stored } from "./stored.ts";
import { keepName } from "./uploads.ts";

/** `PUT /media/{owner}/{item}/{media_type}.{ext}`: a whole file in one request. */
export async function putMedia(gateway: Gateway, own: OwnRequest): Promise<Response> {
  const description = describe(own);
  const size = contentLength(own.request) ?? (own.request.body === null ? 0 : null);
  if (size === null) {
    throw problem(
      ...[411, "length", "The file's size is missing"] as const,
      "Give it as Content-Length, in bytes.",
    );
  }
  const put = size <= PORTION_BYTES ? putSmall : putLarge;
  const response = await put(gateway, own, description, size);
  await keepName(gateway, description, own.request);
  gateway.watchers.wake(own.ownerUuid);
  return response;
}

type Put = (
  gateway: Gateway,
  own: OwnRequest,
  description: ReturnType<typeof describe>,
  size: number,
) => Promise<Response>;

/** In one statement, as most previews and pictures are. */
const putSmall: Put = async (gateway, { request }, description, size) => {
  const content = new Uint8Array(size);
  let at = 0;
  if (request.body !== null) {
    await receive(request.body, gateway, (bytes) => {
      if (at + bytes.length > size) return Promise.reject(new BodyError("cut"));
      content.set(bytes, at);
      at += bytes.length;
      return Promise.resolve();
    });
  }
  if (at !== size) throw new BodyError("cut");
  const sha256 = createHash("sha256").update(content).digest();
  for (const header of DIGESTS) refuseOtherDigest(request, header, sha256);
  const { mediaId, existed } = await submitUnlessThere(gateway.inbox, description, content, sha256);
  return stored(existed ? 200 : 201, mediaId, size, sha256);
};

/**
 * As an upload that nobody else knows of: a slow client then holds no transaction open. One that is cut
 * goes at once, since nobody can come back to it.
 */
const putLarge: Put = async (gateway, { request, ownerUuid }, description, size) => {
  const upload = { key: crypto.randomUUID(), ownerUuid };
  await openUpload(gateway.inbox, upload.key, description, size);
  try {
    const standing = { offset: 0, size, hashState: null };
    const { sha256 } = await appendBody(gateway, upload, standing, request);
    refuseOtherDigest(request, "repr-digest", sha256);
    const { mediaId, existed } = await finishUpload(gateway.inbox, upload, sha256);
    return stored(existed ? 200 : 201, mediaId, size, sha256);
  } catch (error) {
    // What cannot be given up now expires by itself.
    await cancelUpload(gateway.inbox, upload).catch(() => {});
    throw error;
  }
};

const DIGESTS = ["content-digest", "repr-digest"] as const;

function refuseOtherDigest(
  { headers }: Request,
  header: (typeof DIGESTS)[number],
  sha256: Uint8Array,
): void {
  const expected = digestHeader(headers, header);
  if (expected !== null && !sameBytes(expected, sha256)) {
    throw otherDigest(header === "repr-digest" ? "Repr-Digest" : "Content-Digest");
  }
}
