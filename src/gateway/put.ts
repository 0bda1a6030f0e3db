import { createHash } from "node:crypto";
import { submitUnlessThere } from "../inbox/application/small_media.ts";
import type { Description } from "../inbox/application/submit.ts";
import {
  appendUpload,
  cancelUpload,
  finishUpload,
  openUpload,
  type UploadKey,
} from "../inbox/application/uploads.ts";
import { appendBody, contentLength, otherDigest } from "./body.ts";
import { describe, nameOf } from "./description.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { digestHeader, sameBytes } from "./headers.ts";
import { problem } from "./problem.ts";
import { BodyError, receive } from "./receive.ts";
import { stored } from "./stored.ts";

/** What is submitted by one statement; the database then hashes it once more. */
const SMALL_BYTES = 1024 * 1024;

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
  const put = size <= SMALL_BYTES ? putSmall : putLarge;
  const response = await put(gateway, own, description, size);
  gateway.watchers.wake(own.ownerUuid);
  return response;
}

type Put = (
  gateway: Gateway,
  own: OwnRequest,
  description: Description,
  size: number,
) => Promise<Response>;

/**
 * In one statement, as most previews and pictures are: if it comes in one go. One that trickles in is an
 * upload, so that a slow client does not keep a whole file in this program's memory.
 */
const putSmall: Put = async (gateway, own, description, size) => {
  const hash = createHash("sha256");
  if (own.request.body === null || size === 0) {
    return await submit(gateway, own, description, new Uint8Array(), hash.digest());
  }
  let response: Response | null = null;
  const slow = new SlowPut(gateway, own, description, size);
  try {
    await receive(own.request.body, gateway, {
      see: (bytes) => void hash.update(bytes),
      async store(bytes) {
        if (slow.isEmpty && bytes.length === size) {
          response = await submit(gateway, own, description, bytes, hash.digest());
        } else {
          await slow.add(bytes);
        }
      },
    });
    return response ?? await slow.finish(hash.digest());
  } catch (error) {
    await slow.giveUp();
    throw error;
  }
};

async function submit(
  gateway: Gateway,
  { request }: OwnRequest,
  description: Description,
  content: Uint8Array,
  sha256: Uint8Array,
): Promise<Response> {
  for (const header of DIGESTS) refuseOtherDigest(request, header, sha256);
  const { mediaId, existed } = await submitUnlessThere(
    ...[gateway.inbox, description, content, sha256, nameOf(description, request)] as const,
  );
  return stored(existed ? 200 : 201, mediaId, content.length, sha256);
}

/** A small file that comes in several portions. */
class SlowPut {
  readonly #upload: UploadKey;
  #offset = 0;

  constructor(
    private readonly gateway: Gateway,
    private readonly own: OwnRequest,
    private readonly description: Description,
    private readonly size: number,
  ) {
    this.#upload = { key: crypto.randomUUID(), ownerUuid: own.ownerUuid };
  }

  get isEmpty(): boolean {
    return this.#offset === 0;
  }

  async add(bytes: Uint8Array): Promise<void> {
    const { inbox } = this.gateway;
    if (this.#offset + bytes.length > this.size) throw new BodyError("cut");
    if (this.isEmpty) {
      const name = nameOf(this.description, this.own.request);
      await openUpload(inbox, this.#upload.key, this.description, this.size, name);
    }
    // It is never resumed, so no state is kept.
    this.#offset = await appendUpload(inbox, this.#upload, this.#offset, bytes, new Uint8Array());
  }

  async finish(sha256: Uint8Array): Promise<Response> {
    if (this.#offset !== this.size) throw new BodyError("cut");
    for (const header of DIGESTS) refuseOtherDigest(this.own.request, header, sha256);
    const { mediaId, existed } = await finishUpload(this.gateway.inbox, this.#upload, sha256);
    return stored(existed ? 200 : 201, mediaId, this.size, sha256);
  }

  async giveUp(): Promise<void> {
    // What cannot be given up now expires by itself.
    if (!this.isEmpty) await cancelUpload(this.gateway.inbox, this.#upload).catch(() => {});
  }
}

/**
 * As an upload whose key stays here: a slow client then holds no transaction open. One that is cut goes at
 * once, since its client cannot come back to it.
 */
const putLarge: Put = async (gateway, { request, ownerUuid }, description, size) => {
  const upload = { key: crypto.randomUUID(), ownerUuid };
  await openUpload(gateway.inbox, upload.key, description, size, nameOf(description, request));
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
