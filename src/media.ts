/**
 * The words of the archive that the inbox, the storages and the tools share: what a media is, and
 * which values each part of its name may have. The database checks the same; whoever turns these
 * values into a path checks them again (`unfitName`), because a check that only the other side
 * makes is no check.
 */

export const MEDIA_TYPES = ["content", "preview", "thumbnail"] as const;
export type MediaType = (typeof MEDIA_TYPES)[number];

/** What a media's public path is made of. */
export interface MediaName {
  /** Canonical lower-case UUID. */
  readonly ownerUuid: string;
  /** Canonical lower-case UUID. */
  readonly itemUuid: string;
  readonly mediaType: MediaType;
  /** Without the dot: 1 to 16 ASCII letters and digits. */
  readonly ext: string;
  /** The file's name, `<item>.<ext>` or `<item>~<sha256>.<ext>`; decided when the media was sealed. */
  readonly publicName: string;
}

/** One file of an item, as the inbox describes it. */
export interface Media extends MediaName {
  /** The inbox's key. Ids can come again after a database is restored: never trusted without sha256. */
  readonly id: bigint;
  /** Bytes. */
  readonly size: number;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** How a storage came to have a media. */
export const OUTCOMES = ["stored", "present", "renamed"] as const;
/**
 * - `stored`: published under its usual name
 * - `present`: a file with the same bytes had that name already
 * - `renamed`: other bytes had that name; published as `<item>~<sha256>.<ext>`, both live
 */
export type Outcome = (typeof OUTCOMES)[number];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const EXT = /^[A-Za-z0-9]{1,16}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const STORAGE_NAME = /^[a-z][a-z0-9]{0,30}$/;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

export function isMediaType(text: string): text is MediaType {
  return (MEDIA_TYPES as readonly string[]).includes(text);
}

export function isExt(text: string): boolean {
  return EXT.test(text);
}

export function isSha256(text: string): boolean {
  return SHA256.test(text);
}

/** Whether text has the form of a storage's name. Which of them are taken or reserved, the inbox says. */
export function isStorageName(text: string): boolean {
  return STORAGE_NAME.test(text);
}

/** The name a media has unless that owner's item has other bytes under it. */
export function usualName(media: Pick<MediaName, "itemUuid" | "ext">): string {
  return `${media.itemUuid}.${media.ext}`;
}

/** The name that lets other bytes of the same item and ext live beside the usual name. */
export function renamedName(media: Pick<Media, "itemUuid" | "ext" | "sha256">): string {
  return `${media.itemUuid}~${media.sha256}.${media.ext}`;
}

/**
 * Says what makes a media's name unfit to become a path, or null where it is fit. A name is fit only if
 * it is exactly one that `usualName` or `renamedName` makes of checked parts, so nothing in it can
 * leave its directory.
 */
export function unfitName(media: MediaName & Pick<Media, "sha256">): string | null {
  if (!isUuid(media.ownerUuid)) return `owner ${JSON.stringify(media.ownerUuid)} is not a UUID`;
  if (!isUuid(media.itemUuid)) return `item ${JSON.stringify(media.itemUuid)} is not a UUID`;
  if (!isMediaType(media.mediaType)) {
    return `media_type ${JSON.stringify(media.mediaType)} is none of ${MEDIA_TYPES.join(", ")}`;
  }
  if (!isExt(media.ext)) return `ext ${JSON.stringify(media.ext)} is not 1 to 16 letters or digits`;
  if (!isSha256(media.sha256)) return `sha256 ${JSON.stringify(media.sha256)} is not a SHA-256`;
  if (media.publicName !== usualName(media) && media.publicName !== renamedName(media)) {
    return `public_name ${JSON.stringify(media.publicName)} does not belong to its item and ext`;
  }
  return null;
}
