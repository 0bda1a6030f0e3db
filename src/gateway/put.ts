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
import { contentLength, otherDigest } from "./body.ts";
import { describe, nameOf } from "./description.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { digestHeader, sameBytes } from "./headers.ts";
import { problem } from "./problem.ts";
import type { Sink } from "./portions.ts";
import { BodyError, PORTION_BYTES, receive } from "./receive.ts";
import { stored } from "./stored.ts";

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
  const response = await new Put(gateway, own, description, size).run();
  gateway.watchers.wake(own.ownerUuid);
  return response;
}

/**
 * What comes in one portion, as most pictures do, is submitted by one statement. Anything else is an upload
 * whose key stays here, so that a slow client holds neither a transaction nor a whole file in memory. It
 * cannot be resumed: one that is cut goes at once, and no state of the checksum is kept, so `node:crypto` can
 * compute it. That takes 0.6 s of processor for 1 GiB, `ResumableSha256` 3.3 s.
 */
class Put implements Sink {
  readonly #hash = createHash("sha256");
  readonly #upload: UploadKey;
  #isOpen = false;
  #offset = 0;
  #response: Response | null = null;

  constructor(
    private readonly gateway: Gateway,
    private readonly own: OwnRequest,
    private readonly description: Description,
    private readonly size: number,
  ) {
    this.#upload = { key: crypto.randomUUID(), ownerUuid: own.ownerUuid };
  }

  async run(): Promise<Response> {
    const { body } = this.own.request;
    if (body === null || this.size === 0) return await this.#submit(new Uint8Array());
    try {
      // What is too large is refused before its first byte is read.
      if (this.size > PORTION_BYTES) await this.#open();
      await receive(body, this.gateway, this);
      return this.#response ?? await this.#finish();
    } catch (error) {
      // What cannot be given up now expires by itself.
      if (this.#isOpen) await cancelUpload(this.gateway.inbox, this.#upload).catch(() => {});
      throw error;
    }
  }

  see(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  async store(bytes: Uint8Array): Promise<void> {
    if (!this.#isOpen && bytes.length === this.size) {
      this.#response = await this.#submit(bytes);
      return;
    }
    if (this.#offset + bytes.length > this.size) throw new BodyError("cut");
    if (!this.#isOpen) await this.#open();
    const state = new Uint8Array();
    const { inbox } = this.gateway;
    this.#offset = await appendUpload(inbox, this.#upload, this.#offset, bytes, state);
  }

  async #open(): Promise<void> {
    const name = nameOf(this.description, this.own.request);
    await openUpload(this.gateway.inbox, this.#upload.key, this.description, this.size, name);
    this.#isOpen = true;
  }

  async #submit(content: Uint8Array): Promise<Response> {
    const sha256 = this.#checkedDigest();
    const name = nameOf(this.description, this.own.request);
    const { mediaId, existed } = await submitUnlessThere(
      ...[this.gateway.inbox, this.description, content, sha256, name] as const,
    );
    return stored(existed ? 200 : 201, mediaId, this.size, sha256);
  }

  async #finish(): Promise<Response> {
    if (this.#offset !== this.size) throw new BodyError("cut");
    const sha256 = this.#checkedDigest();
    const { mediaId, existed } = await finishUpload(this.gateway.inbox, this.#upload, sha256);
    return stored(existed ? 200 : 201, mediaId, this.size, sha256);
  }

  /** @throws {Problem} 422 if the request names the digest of other bytes */
  #checkedDigest(): Uint8Array {
    const sha256 = this.#hash.digest();
    for (const header of ["content-digest", "repr-digest"] as const) {
      const expected = digestHeader(this.own.request.headers, header);
      if (expected === null || sameBytes(expected, sha256)) continue;
      throw otherDigest(header === "repr-digest" ? "Repr-Digest" : "Content-Digest");
    }
    return sha256;
  }
}
