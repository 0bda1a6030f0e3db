import { type AdminInbox, ask } from "./inbox.ts";

/** A file by what its path and object say: every upload of these bytes as this item shares it. */
export interface FileOfMedia {
  readonly ownerUuid: string;
  readonly itemUuid: string;
  readonly mediaType: string;
  readonly ext: string;
  readonly sha256: string;
}

/** Said twice, since each half is in an index of its own. */
const UPLOADS = (["m.holds_name", "NOT m.holds_name"] as const).map((half) => `
  SELECT m.id
  FROM unnest($1::uuid[], $2::uuid[], $3::omoide.media_type[], $4::text[], $5::text[])
    AS f(owner, item, type, ext, hex)
  JOIN omoide.media m ON m.owner_uuid = f.owner AND m.item_uuid = f.item AND m.media_type = f.type
    AND m.ext = f.ext AND m.sha256 = decode(f.hex, 'hex') AND ${half}`).join(" UNION ALL ");

function columns(files: readonly FileOfMedia[]): string[][] {
  return [
    files.map((file) => file.ownerUuid),
    files.map((file) => file.itemUuid),
    files.map((file) => file.mediaType),
    files.map((file) => file.ext),
    files.map((file) => file.sha256),
  ];
}

/** How many uploads of these files have not left the inbox yet. */
export async function stillInInbox(
  { connection }: AdminInbox,
  files: readonly FileOfMedia[],
): Promise<number> {
  const [row] = await ask<{ n: number }>(
    connection,
    `SELECT count(*)::int AS n FROM (${UPLOADS}) u JOIN omoide.waiting w ON w.media_id = u.id`,
    columns(files),
  );
  return row?.n ?? 0;
}

/** Removes a storage's receipts of files that are gone from it. */
export async function forgetReceipts(
  { connection }: AdminInbox,
  storageId: number,
  files: readonly FileOfMedia[],
): Promise<void> {
  await ask(
    connection,
    `DELETE FROM omoide.stored WHERE storage_id = $6 AND media_id IN (SELECT u.id FROM (${UPLOADS}) u)`,
    [...columns(files), storageId],
  );
}
