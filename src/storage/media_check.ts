import { createHash, hash } from "node:crypto";
import { MediaDefectError } from "../errors.ts";
import type { Media } from "../media.ts";

/** @throws {MediaDefectError} these are not the media's bytes */
export function checkBytes(media: Media, bytes: Uint8Array): void {
  if (bytes.length !== media.size) throw sizeDefect(media, bytes.length);
  const sha256 = hash("sha256", bytes);
  if (sha256 !== media.sha256) throw hashDefect(media, sha256);
}

/** Counts and hashes what comes of a media piece by piece, and says at the end whether it was the media. */
export class MediaCheck {
  readonly #media: Media;
  readonly #hash = createHash("sha256");
  #size = 0;

  constructor(media: Media) {
    this.#media = media;
  }

  /** @throws {MediaDefectError} it is more than the media has */
  add(piece: Uint8Array): void {
    this.#size += piece.length;
    if (this.#size > this.#media.size) throw sizeDefect(this.#media, this.#size, "at least ");
    this.#hash.update(piece);
  }

  /** @throws {MediaDefectError} that was not the media */
  end(): void {
    if (this.#size !== this.#media.size) throw sizeDefect(this.#media, this.#size);
    const sha256 = this.#hash.digest("hex");
    if (sha256 !== this.#media.sha256) throw hashDefect(this.#media, sha256);
  }
}

function sizeDefect(media: Media, size: number, about = ""): MediaDefectError {
  return new MediaDefectError(
    media.id,
    `the inbox holds ${about}${size} bytes, the media has ${media.size}`,
  );
}

function hashDefect(media: Media, sha256: string): MediaDefectError {
  return new MediaDefectError(
    media.id,
    `the inbox holds bytes with SHA-256 ${sha256}, the media has ${media.sha256}`,
  );
}
