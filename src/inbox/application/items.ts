/** An owner's items: what people call them, and where their files stand. */
import type { Caller } from "./pool.ts";

/** What an item is called. Only the first word on it counts. */
export interface ItemName {
  /** As the device gave it: for showing only, never part of a path. */
  readonly fileName: string;
  readonly lastModified: Date | null;
}

/** An item as its owner knows it. */
export interface Item extends ItemName {
  /** Counts up as items come. */
  readonly seq: number;
  readonly itemUuid: string;
  readonly recordedAt: Date;
}

/** Where one file of an item stands. */
export interface FileState {
  readonly itemUuid: string;
  readonly id: number;
  readonly mediaType: string;
  readonly ext: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly sealedAt: Date;
  /** When every required storage had it and its bytes left the database; null until then. */
  readonly releasedAt: Date | null;
  /** Relative to the root of the storage that was asked for. */
  readonly path: string;
  /** That storage has it. */
  readonly isServed: boolean;
  /** Names of storages. */
  readonly storedIn: readonly string[];
  readonly owedTo: readonly string[];
  readonly parkedIn: readonly string[];
  /** Why it is parked; null unless it is. */
  readonly parkedReason: string | null;
}

/** Items newest first. @param before a `seq`: older ones than that @param limit up to 1000 */
export async function listItems(
  caller: Caller,
  ownerUuid: string,
  before: number | null,
  limit: number,
): Promise<Item[]> {
  const rows = await caller.call<
    {
      seq: string;
      item_uuid: string;
      file_name: string;
      last_modified: Date | null;
      recorded_at: Date;
    }
  >("SELECT * FROM omoide.list_items($1, $2, $3)", [ownerUuid, before, limit]);
  return rows.map((row) => ({
    seq: Number(row.seq),
    itemUuid: row.item_uuid,
    fileName: row.file_name,
    lastModified: row.last_modified,
    recordedAt: row.recorded_at,
  }));
}

interface FileRow {
  readonly item_uuid: string;
  readonly media_id: string;
  readonly media_type: string;
  readonly ext: string;
  readonly size: string;
  readonly sha256: string;
  readonly sealed_at: Date;
  readonly released_at: Date | null;
  readonly path: string;
  readonly is_served: boolean;
  readonly stored_in: string[];
  readonly owed_to: string[];
  readonly parked_in: string[];
  readonly parked_reason: string | null;
}

/**
 * The files of up to 1,000 items, earliest first, so that a later one never hides what was there.
 *
 * @param storage whose paths to give; null for the first registered
 */
export async function whereItems(
  caller: Caller,
  ownerUuid: string,
  itemUuids: readonly string[],
  storage: string | null,
): Promise<FileState[]> {
  const rows = await caller.call<FileRow>(
    "SELECT item_uuid, media_id, media_type, ext, size, encode(sha256, 'hex') AS sha256, sealed_at, " +
      "released_at, path, is_served, stored_in, owed_to, parked_in, parked_reason " +
      "FROM omoide.where_items($1, $2, $3)",
    [ownerUuid, itemUuids, storage],
  );
  return rows.map((row) => ({
    itemUuid: row.item_uuid,
    id: Number(row.media_id),
    mediaType: row.media_type,
    ext: row.ext,
    size: Number(row.size),
    sha256: row.sha256,
    sealedAt: row.sealed_at,
    releasedAt: row.released_at,
    path: row.path,
    isServed: row.is_served,
    storedIn: row.stored_in,
    owedTo: row.owed_to,
    parkedIn: row.parked_in,
    parkedReason: row.parked_reason,
  }));
}
