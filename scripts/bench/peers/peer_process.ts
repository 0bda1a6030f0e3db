/** What the processes of the peers have in common: where they work, and how they store with our code. */
import { connect, type Connection } from "../../../src/inbox/connect.ts";
import { parseAdminDatabaseUrl } from "../../../src/inbox/database_url.ts";
import type { Media, MediaType } from "../../../src/media.ts";
import { IN_MEMORY_BYTES, type StoreBatch } from "../../../src/storage/storage.ts";
import { peakMemoryOf } from "../processors.ts";

/** Arguments: the database's URL, the storage's name, its root. */
export const [url = "", column = "", root = ""] = Deno.args;

export async function openDatabase(): Promise<Connection> {
  return await connect(parseAdminDatabaseUrl(url, "postgres").address, {}, "peer");
}

export interface Row {
  readonly id: string;
  readonly owner_uuid: string;
  readonly item_uuid: string;
  readonly media_type: MediaType;
  readonly ext: string;
  readonly sha256: Uint8Array;
  readonly content: Uint8Array;
}

export const COLUMNS = "id, owner_uuid, item_uuid, media_type, ext, sha256, content";

/** Puts a row into a batch, as a worker would. */
export async function storeRow(batch: StoreBatch, row: Row): Promise<void> {
  const media: Media = {
    id: BigInt(row.id),
    ownerUuid: row.owner_uuid,
    itemUuid: row.item_uuid,
    mediaType: row.media_type,
    ext: row.ext,
    publicName: `${row.item_uuid}.${row.ext}`,
    size: row.content.length,
    sha256: new Uint8Array(row.sha256).toHex(),
  };
  if (media.size <= IN_MEMORY_BYTES) return await batch.storeBytes(media, row.content);
  const writer = await batch.createObject(media);
  await writer.write(row.content);
  await writer.close();
}

/** Publishes a batch, all of which must be stored. */
export async function publishAll(batch: StoreBatch): Promise<void> {
  const { notStored, paused } = await batch.publish();
  const error = notStored[0]?.error ?? paused;
  if (error) throw error;
}

/** Marks media as stored here, and lets those go that are stored in both. */
export async function markStored(
  database: Pick<Connection, "query">,
  ids: readonly string[],
): Promise<void> {
  const { rows } = await database.query<{ id: string; both: boolean }>(
    `UPDATE public.peer_media SET ${column} = true WHERE id = ANY ($1) RETURNING id, hot AND cold AS both`,
    [ids],
  );
  const gone = rows.filter(({ both }) => both).map(({ id }) => id);
  if (gone.length > 0) {
    await database.query("DELETE FROM public.peer_media WHERE id = ANY ($1)", [gone]);
  }
}

/** The last line of a peer's output: the most memory that it has had, in bytes. */
export function sayPeakMemory(): void {
  console.log(peakMemoryOf("self"));
}
