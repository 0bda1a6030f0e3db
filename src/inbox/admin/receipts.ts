import type { Connection } from "../connect.ts";
import { MEDIA_TYPES } from "../../media.ts";
import { ofBothHalves } from "./both_halves.ts";
import type { FileOfMedia } from "./file_of_media.ts";
import { type AdminInbox, ask } from "./inbox.ts";

/** One receipt, as `storage compare` and `storage trust` need it. */
export interface HeldReceipt extends FileOfMedia {
  readonly mediaId: string;
  /** The name that the media has by its row; the worker says where it really is. */
  readonly publicName: string;
  readonly path: string;
  readonly size: number;
  /** Whether its blob has left the inbox. */
  readonly released: boolean;
}

/** Items of one page. */
const PAGE = 5000;

/**
 * A storage's receipts in the byte order of their paths, those of the moment of this call: a file that is
 * stored later is left out. Each path once, since two uploads of the same bytes share it. A page at a time,
 * each a short statement: the tree that they are compared with takes hours, and neither a snapshot nor a sort
 * of all of them is kept for that long.
 */
export async function receiptsOf(
  { connection }: AdminInbox,
  storage: string,
): Promise<AsyncGenerator<HeldReceipt>> {
  const [row] = await ask<{ now: string }>(connection, "SELECT clock_timestamp()::text AS now");
  return pages(connection, storage, row?.now ?? "infinity");
}

/** By path is by type, owner and item, whose index has the others' order. */
async function* pages(
  connection: Connection,
  storage: string,
  until: string,
): AsyncGenerator<HeldReceipt> {
  for (const mediaType of MEDIA_TYPES.toSorted()) {
    let last: Item = { owner: NIL, item: NIL };
    for (;;) {
      const items = await ask<Item>(connection, ITEMS, [mediaType, last.owner, last.item]);
      const [owners, ids] = [items.map(({ owner }) => owner), items.map(({ item }) => item)];
      yield* await ask<HeldReceipt>(connection, RECEIPTS_OF_ITEMS, [
        ...[storage, mediaType, owners, ids, until],
      ]);
      if (items.length < PAGE) break;
      last = items.at(-1) ?? last;
    }
  }
}

interface Item {
  readonly owner: string;
  readonly item: string;
}

const NIL = "00000000-0000-0000-0000-000000000000";

/** The next items after one. */
const ITEMS = `
  SELECT DISTINCT owner_uuid AS owner, item_uuid AS item FROM (${
  ofBothHalves("a", (half) => `
    (SELECT a.owner_uuid, a.item_uuid FROM omoide.media a
    WHERE ${half} AND a.media_type = $1 AND (a.owner_uuid, a.item_uuid) > ($2::uuid, $3::uuid)
    ORDER BY a.owner_uuid, a.item_uuid LIMIT ${PAGE})`)
}) u ORDER BY 1, 2 LIMIT ${PAGE}`;

const RECEIPTS_OF_ITEMS = `
  SELECT DISTINCT ON (p.path COLLATE "C") m.id AS "mediaId", p.path, m.owner_uuid AS "ownerUuid",
    m.item_uuid AS "itemUuid", m.media_type AS "mediaType", m.ext,
    omoide.public_name(m.item_uuid, m.ext, m.sha256, m.has_plain_name) AS "publicName",
    encode(m.sha256, 'hex') AS sha256, m.size::float8,
    NOT EXISTS (SELECT FROM omoide.waiting w WHERE w.media_id = m.id) AS released
  FROM omoide.storage s
  CROSS JOIN unnest($3::uuid[], $4::uuid[]) AS i (owner, item)
  CROSS JOIN LATERAL (${
  ofBothHalves("a", (half) => `
    SELECT * FROM omoide.media a
    WHERE ${half} AND a.owner_uuid = i.owner AND a.item_uuid = i.item AND a.media_type = $2`)
}) m
  CROSS JOIN LATERAL (
    SELECT r.path FROM omoide.stored r
    WHERE r.storage_id = s.id AND r.media_id = m.id AND r.stored_at <= $5::timestamptz LIMIT 1
  ) r
  CROSS JOIN LATERAL (
    SELECT coalesce(r.path, omoide.public_path(
      m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, m.has_plain_name, s.prefix_size)) AS path
  ) p
  WHERE s.name = $1
  ORDER BY p.path COLLATE "C", m.id`;
