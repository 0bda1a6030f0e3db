import { createHash } from "node:crypto";
import type { Media } from "../../src/media.ts";

let lastId = 0n;

/** A media of these bytes, with an id and an item of its own. */
export function mediaOf(bytes: Uint8Array, change: Partial<Media> = {}): Media {
  const itemUuid = change.itemUuid ?? crypto.randomUUID();
  const ext = change.ext ?? "jpg";
  return {
    id: ++lastId,
    ownerUuid: crypto.randomUUID(),
    itemUuid,
    mediaType: "content",
    ext,
    publicName: `${itemUuid}.${ext}`,
    size: bytes.length,
    sha256: sha256Of(bytes),
    ...change,
  };
}

/** In hexadecimal, as in an object's name. */
export function sha256Of(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
