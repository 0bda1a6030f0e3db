import type { Caller } from "./pool.ts";
import type { Description } from "./submit.ts";
import { answered, type Finished } from "./uploads.ts";

/**
 * Submits a file that fits in memory, unless its item has just these bytes.
 *
 * @param sha256 of the content, 32 bytes
 */
export async function submitUnlessThere(
  caller: Caller,
  { ownerUuid, itemUuid, mediaType, ext }: Description,
  content: Uint8Array,
  sha256: Uint8Array,
): Promise<Finished> {
  const name = [ownerUuid, itemUuid, mediaType, ext];
  const [same] = await caller.call<{ id: string | null }>(
    "SELECT omoide.same_media($1, $2, $3, $4, $5, $6) AS id",
    [...name, content.length, sha256],
  );
  const existing = answered(same).id;
  if (existing !== null) return { mediaId: BigInt(existing), existed: true };
  const [made] = await caller.callWithBytes<{ id: string }>(
    "SELECT omoide.submit_media($1, $2, $3, $4, $5) AS id",
    [...name, content],
  );
  return { mediaId: BigInt(answered(made).id), existed: false };
}
