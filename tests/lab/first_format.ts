/** Where the objects are of a storage of format 1, which is what tests make unless they say otherwise. */
import type { Media } from "../../src/media.ts";
import { ObjectLayout } from "../../src/storage/layout.ts";

const LAYOUT = ObjectLayout.of(1);

export const { directories: OBJECT_DIRECTORIES, skeleton: SKELETON } = LAYOUT;

export function objectDirectory(sha256: string): string {
  return LAYOUT.directoryOf(sha256);
}

export function objectPath(media: Pick<Media, "sha256" | "id">, attempt = 1): string {
  return LAYOUT.pathOf(media, attempt);
}
