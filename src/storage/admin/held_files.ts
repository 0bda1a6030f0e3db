import { basename } from "node:path";
import { parsePublicPath, type PublicPath } from "../layout.ts";
import type { Entry } from "./entries.ts";

/** A file of the tree, with what its path says of it. */
export type NamedEntry = Entry & Omit<PublicPath, "sha256"> & { readonly publicName: string };

/** Reads an entry's path; null where it is none of a media. */
export function nameEntry(entry: Entry, prefixSize: number): NamedEntry | null {
  const name = parsePublicPath(entry.path, prefixSize);
  if (name === null) return null;
  const { mediaType, ownerUuid, itemUuid, ext } = name;
  return { ...entry, mediaType, ownerUuid, itemUuid, ext, publicName: basename(entry.path) };
}

/** Any sequence in pieces of a number. */
export async function* inBatches<T>(
  things: Iterable<T> | AsyncIterable<T>,
  size: number,
): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const thing of things) {
    batch.push(thing);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
