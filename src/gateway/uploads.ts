/**
 * Uploads that survive anything: draft-ietf-httpbis-resumable-upload, interop version 8. Opening takes no
 * bytes unless the client sends some along; HEAD says where to go on, PATCH goes on, DELETE gives up.
 */
import {
  cancelUpload,
  findUpload,
  finishUpload,
  openUpload,
  type UploadKey,
  uploadLimits,
  type UploadState,
} from "../inbox/application/uploads.ts";
import { ownUuid, uuidOf } from "./auth.ts";
import { appendBody, contentLength, otherDigest } from "./body.ts";
import { describe, nameOf } from "./description.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { booleanHeader, digestHeader, integerHeader, sameBytes } from "./headers.ts";
import { inconsistentLength, problem, uploadCompleted, wrongOffset } from "./problem.ts";
import { stored } from "./stored.ts";

const INTEROP = { "upload-draft-interop-version": "8" };
export const PARTIAL = "application/partial-upload";

/** `POST /media/{owner}/{item}/{media_type}.{ext}` */
export async function createUpload(gateway: Gateway, own: OwnRequest): Promise<Response> {
  const { request } = own;
  const description = describe(own);
  const complete = booleanHeader(request.headers, "upload-complete");
  if (complete === null) {
    throw problem(
      ...[400, "upload-complete", "Upload-Complete is missing"] as const,
      "Give Upload-Complete: ?0 with Upload-Length to open an upload, or send the whole file by PUT.",
    );
  }
  const size = lengthOf(request, complete);
  const key = keyOf(request);
  const upload = { key, ownerUuid: own.ownerUuid };
  await openUpload(gateway.inbox, key, description, size, nameOf(description, request));
  const location = { location: `/uploads/${key}` };
  const state = await currentState(gateway, upload);
  if (!complete && contentLength(request) === 0 || request.body === null && !complete) {
    return new Response(null, {
      status: 201,
      headers: { ...location, ...await headersOf(gateway, state) },
    });
  }
  if (state.storedBytes > 0) throw wrongOffset(state.storedBytes, 0);
  return await append(gateway, upload, state, request, complete, location);
}

/** The whole size, which must be known before the first byte. */
function lengthOf(request: Request, complete: boolean): number {
  const length = integerHeader(request.headers, "upload-length");
  const content = contentLength(request);
  if (complete && content !== null && length !== null && content !== length) {
    throw inconsistentLength(
      `Upload-Length is ${length}, but the request brings ${content} bytes.`,
    );
  }
  const size = length ?? (complete ? content : null);
  if (size !== null) return size;
  throw problem(
    ...[411, "length", "The file's size is missing"] as const,
    "Give it as Upload-Length, in bytes.",
  );
}

/** A client may choose the upload's name itself, so that it finds it where the answer was lost. */
function keyOf(request: Request): string {
  const given = request.headers.get("idempotency-key");
  return given === null ? crypto.randomUUID() : uuidOf(given.replace(/^"(.*)"$/, "$1"), "key");
}

/** `HEAD /uploads/{key}` */
export async function showUpload(gateway: Gateway, own: OwnRequest): Promise<Response> {
  const state = await currentState(gateway, uploadOf(own));
  return new Response(null, { status: 204, headers: await headersOf(gateway, state) });
}

/** `PATCH /uploads/{key}` */
export async function continueUpload(gateway: Gateway, own: OwnRequest): Promise<Response> {
  const { request } = own;
  if (request.headers.get("content-type")?.split(";")[0]?.trim() !== PARTIAL) {
    throw problem(415, "content-type", "The content type is another", `Send it as ${PARTIAL}.`);
  }
  const offset = integerHeader(request.headers, "upload-offset");
  const complete = booleanHeader(request.headers, "upload-complete");
  if (offset === null || complete === null) {
    throw problem(
      ...[400, "header", "A header is missing"] as const,
      "PATCH takes Upload-Offset and Upload-Complete.",
    );
  }
  const upload = uploadOf(own);
  const state = await currentState(gateway, upload);
  const length = integerHeader(request.headers, "upload-length");
  if (length !== null && length !== state.size) {
    throw inconsistentLength(`The upload was opened for ${state.size} bytes, not for ${length}.`);
  }
  if (offset !== state.storedBytes) throw wrongOffset(state.storedBytes, offset);
  if (state.finished !== null) return repeated(state, request, complete);
  return await append(gateway, upload, state, request, complete, {});
}

/** The answer that was lost, again. */
function repeated(state: UploadState, request: Request, complete: boolean): Response {
  if (state.finished === null || !complete || (contentLength(request) ?? 0) > 0) {
    throw uploadCompleted(state.storedBytes);
  }
  const { mediaId, sha256 } = state.finished;
  const expected = digestHeader(request.headers, "repr-digest");
  if (expected !== null && !sameBytes(expected, sha256)) throw otherDigest("Repr-Digest");
  return stored(200, mediaId, state.size, sha256, { "upload-complete": "?1", ...INTEROP });
}

/** `DELETE /uploads/{key}` */
export async function giveUp(gateway: Gateway, own: OwnRequest): Promise<Response> {
  const upload = uploadOf(own);
  await currentState(gateway, upload);
  await cancelUpload(gateway.inbox, upload);
  return new Response(null, { status: 204, headers: INTEROP });
}

async function append(
  gateway: Gateway,
  upload: UploadKey,
  state: UploadState,
  request: Request,
  complete: boolean,
  headers: Record<string, string>,
): Promise<Response> {
  const length = contentLength(request);
  if (complete && length !== null && state.storedBytes + length !== state.size) {
    throw inconsistentLength(
      `With these ${length} bytes the upload would have ${
        state.storedBytes + length
      } of ${state.size}, ` +
        "so it is not complete.",
    );
  }
  const standing = { offset: state.storedBytes, size: state.size, hashState: state.hashState };
  const { offset, sha256 } = await appendBody(gateway, upload, standing, request);
  if (!complete) {
    const now = { ...state, storedBytes: offset };
    return new Response(null, {
      status: "location" in headers ? 201 : 204,
      headers: { ...headers, ...await headersOf(gateway, now) },
    });
  }
  if (offset !== state.size) {
    throw inconsistentLength(
      `The upload has ${offset} of ${state.size} bytes, so it is not complete.`,
    );
  }
  const expected = digestHeader(request.headers, "repr-digest");
  if (expected !== null && !sameBytes(expected, sha256)) {
    await cancelUpload(gateway.inbox, upload);
    throw otherDigest("Repr-Digest");
  }
  const { mediaId, existed } = await finishUpload(gateway.inbox, upload, sha256);
  gateway.watchers.wake(upload.ownerUuid);
  return stored(existed ? 200 : 201, mediaId, state.size, sha256, {
    ...headers,
    "upload-complete": "?1",
    "upload-offset": String(offset),
    ...INTEROP,
  });
}

/** @throws {Problem} 404 if this owner has none of that name */
async function currentState(gateway: Gateway, upload: UploadKey): Promise<UploadState> {
  const state = await findUpload(gateway.inbox, upload);
  if (state !== null) return state;
  throw problem(
    ...[404, "unknown-upload", "There is no such upload"] as const,
    "It was never opened, has expired, or was cancelled. Begin it again.",
  );
}

function uploadOf({ groups, ownerUuid }: OwnRequest): UploadKey {
  return { key: uuidOf(groups["key"], "upload"), ownerUuid };
}

async function headersOf(gateway: Gateway, state: UploadState): Promise<Record<string, string>> {
  return {
    "upload-offset": String(state.storedBytes),
    "upload-length": String(state.size),
    "upload-complete": state.finished === null ? "?0" : "?1",
    "upload-limit": await limitHeader(gateway),
    ...INTEROP,
  };
}

/** What any upload may be: to be known before the first byte. */
export async function limitHeader({ inbox }: Gateway): Promise<string> {
  const { maxSize, maxAge } = await uploadLimits(inbox);
  return `max-size=${maxSize}, max-age=${maxAge}`;
}

/** `OPTIONS` of a media's or an upload's address. */
export async function showLimits(gateway: Gateway, own: OwnRequest): Promise<Response> {
  if (own.groups["owner"] !== undefined) ownUuid(own.groups["owner"], own.ownerUuid);
  return new Response(null, {
    status: 204,
    headers: {
      "allow": "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS",
      "accept-patch": PARTIAL,
      "upload-limit": await limitHeader(gateway),
      ...INTEROP,
    },
  });
}
