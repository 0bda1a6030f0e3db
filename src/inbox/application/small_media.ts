import type { ItemName } from "./items.ts";
import type { Caller } from "./pool.ts";
import type { Description } from "./submit.ts";
import { answered, type Finished } from "./uploads.ts";

/**
 * Submits a file that fits in memory, unless its item has just these bytes.
 *
 * @param sha256 of the content, 32 bytes
 * @param name kept with it; null if there is nothing to be kept
 */
export async function submitUnlessThere(
  caller: Caller,
  { ownerUuid, itemUuid, mediaType, ext }: Description,
  content: Uint8Array,
  sha256: Uint8Array,
  name: ItemName | null = null,
): Promise<Finished> {
  const file = [ownerUuid, itemUuid, mediaType, ext];
  const [same] = await caller.call<{ id: string | null }>(
    "SELECT omoide.same_media($1, $2, $3, $4, $5, $6) AS id",
    [...file, content.length, sha256],
  );
  const existing = answered(same).id;
  if (existing !== null) return { mediaId: BigInt(existing), existed: true };
  const submit = "SELECT omoide.submit_media($1, $2, $3, $4, $5) AS id";
  const [made] = name === null
    ? await caller.callWithBytes<{ id: string }>(submit, [...file, content])
    : await caller.callWithBytes<{ id: string }>(
      `SELECT m.id FROM (${submit} OFFSET 0) AS m ` +
        "CROSS JOIN LATERAL (SELECT omoide.record_item($1, $2, $6, $7) WHERE m.id > 0) AS n",
      [...file, content, name.fileName, name.lastModified?.toISOString() ?? null],
    );
  return { mediaId: BigInt(answered(made).id), existed: false };
}
