import { type AdminInbox, ask } from "./inbox.ts";

/** Which of these objects' media a storage is owed, or has a receipt for, and where the file should be. */
export interface Claim {
  readonly mediaId: string;
  readonly owed: boolean;
  /** The receipt's path; null if there is none. */
  readonly path: string | null;
}

/** Media of other bytes than the object's are left out: ids come again when a database is restored. */
export async function claimsOn(
  { connection }: AdminInbox,
  storageId: number,
  objects: readonly { readonly mediaId: string; readonly sha256: string }[],
): Promise<Claim[]> {
  return await ask<Claim>(
    connection,
    `SELECT m.id AS "mediaId",
      EXISTS (SELECT FROM omoide.delivery d WHERE d.storage_id = $1 AND d.media_id = m.id) AS owed,
      CASE WHEN r.media_id IS NULL THEN NULL ELSE coalesce(r.path, omoide.public_path(
        m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, m.has_plain_name, s.prefix_size)) END AS path
    FROM unnest($2::bigint[], $3::text[]) AS o(id, hex)
    JOIN omoide.media m ON m.id = o.id AND m.sha256 = decode(o.hex, 'hex')
    JOIN omoide.storage s ON s.id = $1
    LEFT JOIN omoide.stored r ON r.storage_id = $1 AND r.media_id = m.id`,
    [storageId, objects.map((object) => object.mediaId), objects.map((object) => object.sha256)],
  );
}
