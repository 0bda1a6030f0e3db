import { MediaFailureError } from "../errors.ts";
import { type Media, type Outcome, renamedName } from "../media.ts";
import { parentOf } from "./directories.ts";
import { examine } from "./existing.ts";
import { publicDirectory, publicPath } from "./layout.ts";
import type { Store } from "./store.ts";
import { requirePublicDirectories } from "./tree.ts";

/** A media has its public name: how it came to it, and which (null: the usual one). */
export interface Found {
  readonly outcome: Outcome;
  /** Relative to the root. */
  readonly path: string | null;
}

/** Looks whether a media's bytes have their public name already, and makes sure they are on the disk. */
export async function findPublished(store: Store, media: Media): Promise<Found | null> {
  const { usual, other } = namesOf(store, media);
  switch (await look(store, usual, media)) {
    case "same bytes":
      return { outcome: "present", path: null };
    case "nothing":
      return null;
    case "something else":
      if (other === null) return null;
      return await look(store, other, media) === "same bytes"
        ? { outcome: "renamed", path: other }
        : null;
  }
}

/**
 * Gives an object its public name, or the name beside it where other bytes have that one.
 *
 * @param verified directories looked at since anything was last waited for; grows
 * @throws {MediaFailureError} both names are taken by other bytes, or its directories are not real ones
 */
export async function linkPublic(
  store: Store,
  media: Media,
  object: string,
  verified: Set<string>,
): Promise<Found> {
  const { usual, other } = namesOf(store, media);
  requirePublicDirectories(store, media, verified);
  if (link(store, object, usual, media)) return { outcome: "stored", path: null };

  const there = await look(store, usual, media);
  verified.clear();
  if (there === "same bytes") return { outcome: "present", path: null };
  if (there === "nothing") throw vanished(media, usual);
  if (other === null) throw taken(media, usual);

  requirePublicDirectories(store, media, verified);
  if (link(store, object, other, media)) return { outcome: "renamed", path: other };
  const beside = await look(store, other, media);
  verified.clear();
  if (beside === "same bytes") return { outcome: "renamed", path: other };
  throw beside === "nothing" ? vanished(media, other) : taken(media, other);
}

/** The media's name, and the one it gets where other bytes have that; null where it is that already. */
function namesOf(store: Store, media: Media): { usual: string; other: string | null } {
  const { prefixSize } = store.identity;
  const usual = publicPath(media, prefixSize);
  const other = `${publicDirectory(media, prefixSize)}/${renamedName(media)}`;
  return { usual, other: other === usual ? null : other };
}

async function look(store: Store, path: string, media: Media) {
  try {
    const there = await examine(`${store.root}/${path}`, media, store.calls);
    if (there === "same bytes") store.directories.entryMade(parentOf(path));
    return there;
  } catch (error) {
    throw store.note(error);
  }
}

/** False where the name exists. */
function link(store: Store, object: string, name: string, media: Media): boolean {
  try {
    store.calls.link(`${store.root}/${object}`, `${store.root}/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    // The object or the directory has gone: perhaps the disk with it.
    if (error instanceof Deno.errors.NotFound) store.requireIdentity();
    throw store.noteChange(error, `link ${object} to ${name}`, media.id);
  }
  store.directories.entryMade(parentOf(name));
  return true;
}

function vanished(media: Media, path: string): MediaFailureError {
  return new MediaFailureError(media.id, `${path} vanished while this media was being stored`);
}

function taken(media: Media, path: string): MediaFailureError {
  return new MediaFailureError(
    media.id,
    `other bytes have the name ${path}, and there is no further name; move that file away`,
  );
}
