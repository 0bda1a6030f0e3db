import { hash } from "node:crypto";
import { MediaDefectError, MediaFailureError } from "../errors.ts";
import { type Media, unfitName } from "../media.ts";
import { fsyncFailure } from "./failures.ts";
import { CheckingWriter, FileWriter, hashDefect, sizeDefect, writeAll } from "./object_writer.ts";
import { createObject, findStored, type NewObject } from "./objects.ts";
import { type Entry, publish } from "./publish.ts";
import type { ObjectWriter, Published, StoreBatch } from "./storage.ts";
import type { Store } from "./store.ts";
import { makePublicDirectories } from "./tree.ts";

export class Batch implements StoreBatch {
  readonly #store: Store;
  readonly #entries: Entry[] = [];
  /**
   * Directories that this batch has looked at: each once, since looking at all of a media's directories
   * for every media would take a tenth of the time. They are looked at again right before the links, and
   * each fsync compares inodes. So a directory that somebody replaces by a link in between can cost a
   * orphan or a stray name, never a receipt for what is not there.
   */
  readonly #verified = new Set<string>();
  #published = false;
  #unsynced = 0;
  #onAllSynced: () => void = () => {};

  constructor(store: Store) {
    this.#store = store;
  }

  async storeBytes(media: Media, bytes: Uint8Array): Promise<void> {
    this.#requireTaking(media);
    if (bytes.length !== media.size) throw sizeDefect(media, bytes.length);
    const sha256 = hash("sha256", bytes);
    if (sha256 !== media.sha256) throw hashDefect(media, sha256);
    const { slots, space } = this.#store;
    // Taken first, so that there are never more open files than slots.
    if (!slots.tryTake()) await slots.take();
    try {
      const begun = await this.#begin(media, () => space.take(media.size));
      if ("file" in begun) {
        writeAll(this.#store, begun, media.id, bytes);
        this.#sync(media, begun);
        return;
      }
      this.#entries.push(begun);
    } catch (error) {
      slots.give();
      throw error;
    }
    slots.give();
  }

  async takeHeld(media: Media): Promise<boolean> {
    this.#requireTaking(media);
    const store = this.#store;
    try {
      store.pause.requireNone();
      const waiting = await this.#takeUnlinked(media);
      if (waiting !== null) {
        this.#entries.push(waiting);
        return true;
      }
      const found = await findStored(store, media, this.#verified);
      if (found !== null) this.#entries.push({ media, object: null, found });
      return found !== null;
    } catch (error) {
      throw store.note(error);
    }
  }

  async createObject(media: Media): Promise<ObjectWriter> {
    this.#requireTaking(media);
    const { slots, space } = this.#store;
    const begun = await this.#begin(media, () => space.take(media.size));
    if (!("file" in begun)) return new CheckingWriter(media, () => this.#entries.push(begun));
    return new FileWriter(this.#store, media, begun, space.promise(media.size), async () => {
      if (!slots.tryTake()) await slots.take();
      this.#sync(media, begun);
    });
  }

  async publish(): Promise<Published> {
    if (this.#published) throw new TypeError("a batch is published once");
    this.#published = true;
    if (this.#unsynced > 0) await new Promise<void>((resolve) => this.#onAllSynced = resolve);
    return await publish(this.#store, this.#entries);
  }

  #requireTaking(media: Media): void {
    if (this.#published) throw new TypeError("a batch that was published takes nothing more");
    this.#store.requireSound();
    const unfit = unfitName(media);
    if (unfit !== null) throw new MediaDefectError(media.id, unfit);
  }

  /**
   * Creates the object of a media, or gives the entry of one that needs none any more: its bytes have
   * their name, or an object that is only waiting for it. Directories come first, so that what is wrong
   * with them leaves no object behind.
   */
  async #begin(media: Media, reckon: () => void): Promise<NewObject | Entry> {
    const store = this.#store;
    try {
      store.requireSound();
      store.pause.requireNone();
      const waiting = await this.#takeUnlinked(media);
      if (waiting !== null) return waiting;
      if (!store.space.couldEverFit(media.size)) throw tooLarge(media, store);
      reckon();
      makePublicDirectories(store, media, this.#verified);
      const created = await createObject(store, media, this.#verified);
      return "file" in created ? created : { media, object: null, found: created };
    } catch (error) {
      throw store.note(error);
    }
  }

  /** The entry of a media whose object this process has written already, and could not link. */
  async #takeUnlinked(media: Media): Promise<Entry | null> {
    const { unlinked } = this.#store;
    const waiting = unlinked.size > 0 ? await unlinked.take(media) : null;
    if (waiting === null) return null;
    try {
      makePublicDirectories(this.#store, media, this.#verified);
    } catch (error) {
      unlinked.remember(media.id, waiting);
      throw error;
    }
    return { media, object: waiting.path, found: null };
  }

  /** Lets the fdatasync of a whole object go on by itself; takes over the slot and the open file. */
  #sync(media: Media, { file, path }: NewObject): void {
    const { calls, slots } = this.#store;
    // In the order in which they came, so that the earlier of two that want one name gets it. Should the
    // fdatasync fail, nothing of this batch is published at all.
    this.#entries.push({ media, object: path, found: null });
    this.#unsynced += 1;
    const syncData = async () => {
      try {
        await calls.syncData(file);
      } catch (error) {
        this.#store.note(fsyncFailure(error, path));
      } finally {
        calls.close(file);
        slots.give();
        this.#unsynced -= 1;
        if (this.#unsynced === 0) this.#onAllSynced();
      }
    };
    void syncData();
  }
}

function tooLarge(media: Media, { root, space }: Store): MediaFailureError {
  return new MediaFailureError(
    media.id,
    `its ${media.size} bytes are more than all of ${root} can hold (${space.shown}); ` +
      "enlarge its file system, then `inbox retry`",
  );
}
