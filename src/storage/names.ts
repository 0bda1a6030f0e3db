import { MediaFailureError } from "../errors.ts";
import { type Media, renamedName } from "../media.ts";
import type { Stored } from "../stored.ts";
import { examine, type Existing } from "./existing.ts";
import { parentOf, publicDirectory, publicPath } from "./layout.ts";
import type { Store } from "./store.ts";
import { type Tree, vanished } from "./tree.ts";

/** The public name that a media has, and how it came to it. */
export type Named = Omit<Stored, "media">;

/** The public names of media: who has them, and giving them to objects. */
export class Names {
  readonly #store: Store;
  readonly #tree: Tree;

  constructor(store: Store, tree: Tree) {
    this.#store = store;
    this.#tree = tree;
  }

  /** Finds out whether a media's bytes have their public name already, and makes sure they are on disk. */
  async find(media: Media): Promise<Named | null> {
    const { usual, other } = this.#namesOf(media);
    switch (await this.#examine(usual, media)) {
      case "same bytes":
        return { outcome: "present", path: null };
      case "nothing":
        return null;
      case "something else":
        if (other === null) return null;
        return await this.#examine(other, media) === "same bytes"
          ? { outcome: "renamed", path: other }
          : null;
    }
  }

  /**
   * Gives an object its public name, or the name beside it if other bytes have that one.
   *
   * @param object relative to the root
   * @throws {MediaFailureError} both names are taken by other bytes, or its directories are not real ones
   */
  async give(media: Media, object: string): Promise<Named> {
    const { usual, other } = this.#namesOf(media);
    await this.#tree.requireFor(media);
    if (await this.#link(object, usual, media)) return { outcome: "stored", path: null };

    const there = await this.#examine(usual, media);
    this.#tree.forget();
    if (there === "same bytes") return { outcome: "present", path: null };
    if (there === "nothing") throw vanished(media.id, usual);
    if (other === null) throw taken(media, usual);

    await this.#tree.requireFor(media);
    if (await this.#link(object, other, media)) return { outcome: "renamed", path: other };
    const beside = await this.#examine(other, media);
    this.#tree.forget();
    if (beside === "same bytes") return { outcome: "renamed", path: other };
    throw beside === "nothing" ? vanished(media.id, other) : taken(media, other);
  }

  /** The media's name, and the one it gets if other bytes have that; null if it is that already. */
  #namesOf(media: Media): { usual: string; other: string | null } {
    const { prefixSize } = this.#store.identity;
    const usual = publicPath(media, prefixSize);
    const other = `${publicDirectory(media, prefixSize)}/${renamedName(media)}`;
    return { usual, other: other === usual ? null : other };
  }

  async #examine(path: string, media: Media): Promise<Existing> {
    const { root, calls, directories } = this.#store;
    try {
      const there = await examine(`${root}/${path}`, media, calls);
      if (there === "same bytes") directories.entryMade(parentOf(path));
      return there;
    } catch (error) {
      throw this.#store.note(error);
    }
  }

  /** False if the name exists. */
  async #link(object: string, name: string, media: Media): Promise<boolean> {
    const { root, calls, directories } = this.#store;
    try {
      await calls.link(`${root}/${object}`, `${root}/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return false;
      // The object or the directory has gone: perhaps the disk with it.
      if (error instanceof Deno.errors.NotFound) await this.#store.requireIdentity();
      throw this.#store.noteChange(error, `link ${object} to ${name}`, media.id);
    }
    directories.entryMade(parentOf(name));
    return true;
  }
}

function taken(media: Media, path: string): MediaFailureError {
  return new MediaFailureError(
    media.id,
    `other bytes have the name ${path}, and there is no further name; move that file away`,
  );
}
