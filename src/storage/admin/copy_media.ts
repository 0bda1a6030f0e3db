import { basename } from "node:path";
import type { Media } from "../../media.ts";
import { parseObjectName, parsePublicPath } from "../layout.ts";
import { IN_MEMORY_BYTES, type StoreBatch } from "../storage.ts";
import { readSmall } from "./read_object.ts";
import type { Source } from "./source.ts";

/** The media that an object under a public path is; null where the two do not fit each other. */
export function mediaOf(
  path: string,
  object: string,
  size: number,
  prefixSize: number,
): Media | null {
  const name = parsePublicPath(path, prefixSize), known = parseObjectName(object);
  if (name === null || known === null) return null;
  if (name.sha256 !== null && name.sha256 !== known.sha256) return null;
  return { ...name, ...known, id: known.mediaId, publicName: basename(path), size };
}

/** Stores a file's bytes as a media: they must be the media's, or nothing is published. */
export async function copyMedia(
  batch: StoreBatch,
  media: Media,
  from: Source,
  path: string,
): Promise<void> {
  if (media.size <= IN_MEMORY_BYTES) {
    await batch.storeBytes(media, await readSmall(from.read(path), media.size));
    return;
  }
  const writer = await batch.createObject(media);
  try {
    for await (const piece of from.read(path)) await writer.write(piece);
    await writer.close();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
