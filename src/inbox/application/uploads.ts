/**
 * Pending uploads: what comes in over many requests, days if need be. Each call is one short statement
 * that holds nothing until the next.
 */
import { ConfigurationError } from "../../errors.ts";
import { isMediaType, type MediaType } from "../../media.ts";
import type { ItemName } from "./items.ts";
import type { Caller } from "./pool.ts";
import type { Description } from "./submit.ts";

/** Which upload, and whose. Both must fit: a key alone opens nothing. */
export interface UploadKey {
  /** A random UUID of the caller's. */
  readonly key: string;
  readonly ownerUuid: string;
}

/** Where an upload stands. */
export interface UploadState {
  readonly itemUuid: string;
  readonly mediaType: MediaType;
  readonly ext: string;
  /** Bytes that it was opened for, and that it has. */
  readonly size: number;
  readonly storedBytes: number;
  /** What was given with the last bytes. */
  readonly hashState: Uint8Array | null;
  /** Null while it is pending. */
  readonly finished: { readonly mediaId: bigint; readonly sha256: Uint8Array } | null;
  readonly expiresAt: Date;
}

/** The media that an upload became. */
export interface Finished {
  readonly mediaId: bigint;
  /** The item had these bytes already: it is that media, and the upload's own are dropped. */
  readonly existed: boolean;
}

/**
 * Opens an upload; the same key again opens the same one.
 *
 * @param size bytes
 * @param name kept with it; null if there is nothing to be kept
 */
export async function openUpload(
  caller: Caller,
  key: string,
  { ownerUuid, itemUuid, mediaType, ext }: Description,
  size: number,
  name: ItemName | null = null,
): Promise<void> {
  const upload = [key, ownerUuid, itemUuid, mediaType, ext, size];
  const open = "SELECT omoide.open_upload($1, $2, $3, $4, $5, $6) AS id";
  if (name === null) await caller.call(open, upload);
  else {
    await caller.call(
      `SELECT n.kept FROM (${open} OFFSET 0) AS u ` +
        "CROSS JOIN LATERAL (SELECT omoide.record_item($2, $3, $7, $8) AS kept WHERE u.id > 0) AS n",
      [...upload, name.fileName, name.lastModified],
    );
  }
}

/**
 * Adds bytes at `offset`, which must be what the upload has.
 *
 * @param hashState what a later call goes on hashing with; kept beside the bytes
 * @returns what it has then
 */
export async function appendUpload(
  caller: Caller,
  { key, ownerUuid }: UploadKey,
  offset: number,
  bytes: Uint8Array,
  hashState: Uint8Array,
): Promise<number> {
  const [row] = await caller.callWithBytes<{ bytes: string }>(
    "SELECT omoide.append_upload($1, $2, $3, $4, $5) AS bytes",
    [key, ownerUuid, String(offset), bytes, hashState],
  );
  return Number(answered(row).bytes);
}

/** Makes a media of an upload that has all its bytes. May be called again. @param sha256 32 bytes */
export async function finishUpload(
  caller: Caller,
  { key, ownerUuid }: UploadKey,
  sha256: Uint8Array,
): Promise<Finished> {
  const [row] = await caller.call<{ media_id: string; existed: boolean }>(
    "SELECT media_id, existed FROM omoide.finish_upload($1, $2, $3)",
    [key, ownerUuid, sha256],
  );
  const { media_id, existed } = answered(row);
  return { mediaId: BigInt(media_id), existed };
}

interface UploadRow {
  readonly item_uuid: string;
  readonly media_type: string;
  readonly ext: string;
  readonly size: string;
  readonly stored_bytes: string;
  readonly hash_state: Uint8Array | null;
  readonly media_id: string | null;
  readonly sha256: Uint8Array | null;
  readonly expires_at: Date;
}

/** @returns null if this owner has none of that key, or has no longer */
export async function findUpload(
  caller: Caller,
  { key, ownerUuid }: UploadKey,
): Promise<UploadState | null> {
  const [row] = await caller.call<UploadRow>("SELECT * FROM omoide.find_upload($1, $2)", [
    key,
    ownerUuid,
  ]);
  if (row === undefined) return null;
  const { media_id, sha256 } = row;
  return {
    itemUuid: row.item_uuid,
    mediaType: mediaTypeOf(row.media_type),
    ext: row.ext,
    size: Number(row.size),
    storedBytes: Number(row.stored_bytes),
    hashState: row.hash_state,
    finished: media_id === null || sha256 === null ? null : { mediaId: BigInt(media_id), sha256 },
    expiresAt: row.expires_at,
  };
}

/** Gives an upload up, whose bytes go at the next sweep. One that is finished stays. */
export async function cancelUpload(caller: Caller, { key, ownerUuid }: UploadKey): Promise<void> {
  await caller.call("SELECT omoide.cancel_upload($1, $2)", [key, ownerUuid]);
}

/** What any upload may be. */
export interface UploadLimits {
  /** Bytes. */
  readonly maxSize: number;
  /** Seconds without a byte after which it goes. */
  readonly maxAge: number;
}

export async function uploadLimits(caller: Caller): Promise<UploadLimits> {
  const [row] = await caller.call<{ max_size: string; max_age_seconds: string }>(
    "SELECT max_size, max_age_seconds FROM omoide.upload_limits()",
    [],
  );
  const { max_size, max_age_seconds } = answered(row);
  return { maxSize: Number(max_size), maxAge: Number(max_age_seconds) };
}

/** The row of a function that always gives one. @throws {ConfigurationError} it gave none */
export function answered<Row>(row: Row | undefined): Row {
  if (row !== undefined) return row;
  throw new ConfigurationError("the inbox gave no answer; see that it is an inbox");
}

function mediaTypeOf(text: string): MediaType {
  if (isMediaType(text)) return text;
  throw new ConfigurationError(`the inbox has the unknown media_type ${JSON.stringify(text)}`);
}
