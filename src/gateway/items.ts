import { type FileState, type Item, listItems, whereItems } from "../inbox/application/items.ts";
import type { Caller } from "../inbox/application/pool.ts";
import { ownUuid, uuidOf } from "./auth.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { problem } from "./problem.ts";

/** A file as the API shows it. */
export function showFile(file: FileState) {
  return {
    id: file.id,
    media_type: file.mediaType,
    ext: file.ext,
    size: file.size,
    sha256: file.sha256,
    stored_in: file.storedIn,
    owed_to: file.owedTo,
    parked_in: file.parkedIn,
    parked_reason: file.parkedReason,
    sealed_at: file.sealedAt.toISOString(),
    released_at: file.releasedAt?.toISOString() ?? null,
    path: file.path,
    is_served: file.isServed,
  };
}

export type ShownFile = ReturnType<typeof showFile>;

/** An item with its files as the API shows it. */
function showItem(item: Item, files: readonly FileState[]) {
  return {
    seq: item.seq,
    item: item.itemUuid,
    file_name: item.fileName,
    last_modified: item.lastModified?.toISOString() ?? null,
    recorded_at: item.recordedAt.toISOString(),
    files: files.map(showFile),
  };
}

/** `GET /media/{owner}/{item}`: where each of its files stands; an empty list where there is none. */
export async function showFiles(gateway: Gateway, own: OwnRequest): Promise<Response> {
  const owner = ownUuid(own.groups["owner"], own.ownerUuid);
  const item = uuidOf(own.groups["item"], "item");
  const files = await whereItems(gateway.inbox, owner, [item], gateway.served);
  return Response.json(files.map(showFile));
}

const PAGE_ITEMS = 60;

/** `GET /media/{owner}?before=SEQ&limit=N`: the owner's items, newest first. */
export async function showItems(gateway: Gateway, own: OwnRequest): Promise<Response> {
  const owner = ownUuid(own.groups["owner"], own.ownerUuid);
  const { searchParams } = own.url;
  const before = searchParams.get("before");
  const limit = searchParams.get("limit") ?? String(PAGE_ITEMS);
  if (!/^\d{1,15}$/.test(before ?? "0") || !/^\d{1,3}$/.test(limit) || Number(limit) > 200) {
    throw problem(
      ...[400, "query", "The query is not valid"] as const,
      "before takes the seq of an item, limit a number up to 200.",
    );
  }
  const items = await listItems(
    gateway.inbox,
    owner,
    before === null ? null : Number(before),
    Number(limit),
  );
  const shown = await showItemsOf(gateway.inbox, owner, items, gateway.served);
  return Response.json([...shown.values()]);
}

/** Items as the API shows them, by their UUID. */
export async function showItemsOf(
  inbox: Caller,
  ownerUuid: string,
  items: readonly Item[],
  served: string | null,
) {
  const uuids = items.map(({ itemUuid }) => itemUuid);
  const files = uuids.length === 0 ? [] : await whereItems(inbox, ownerUuid, uuids, served);
  const filesOf = Map.groupBy(files, ({ itemUuid }) => itemUuid);
  return new Map(
    items.map((item) => [item.itemUuid, showItem(item, filesOf.get(item.itemUuid) ?? [])]),
  );
}
