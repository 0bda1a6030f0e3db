/** A file by what its path and object say: every upload of these bytes as this item shares it. */
export interface FileOfMedia {
  readonly ownerUuid: string;
  readonly itemUuid: string;
  readonly mediaType: string;
  readonly ext: string;
  readonly sha256: string;
}

/** Files as a table `f` of a query whose first five values are `columnsOf` them. */
export const FILES =
  `unnest($1::uuid[], $2::uuid[], $3::omoide.media_type[], $4::text[], $5::text[])
    AS f (owner, item, type, ext, hex)`;

/** Whether a media `m` is an upload of the file `f`. */
export const IS_FILE = `m.owner_uuid = f.owner AND m.item_uuid = f.item AND m.media_type = f.type
    AND m.ext = f.ext AND m.sha256 = decode(f.hex, 'hex')`;

export function columnsOf(files: readonly FileOfMedia[]): string[][] {
  return [
    files.map((file) => file.ownerUuid),
    files.map((file) => file.itemUuid),
    files.map((file) => file.mediaType),
    files.map((file) => file.ext),
    files.map((file) => file.sha256),
  ];
}
