import { MediaDefectError, MediaFailureError } from "../errors.ts";
import { type Media, unfitName } from "../media.ts";
import { checkBytes } from "./media_check.ts";
import { Names } from "./names.ts";
import { NewObject } from "./new_object.ts";
import { CheckingWriter, FileWriter } from "./object_writer.ts";
import { Objects } from "./objects.ts";
import { type Entry, publish } from "./publish.ts";
import type { ObjectWriter, Published, StoreBatch } from "./storage.ts";
import type { Store } from "./store.ts";
import { Tree } from "./tree.ts";

export class Batch implements StoreBatch {
  readonly #store: Store;
  readonly #tree: Tree;
  readonly #names: Names;
  readonly #objects: Objects;
  readonly #entries: Entry[] = [];
  #published = false;
  #unsynced = 0;
  #onAllSynced: () => void = () => {};

  constructor(store: Store) {
    this.#store = store;
    this.#tree = new Tree(store);
    this.#names = new Names(store, this.#tree);
    this.#objects = new Objects(store, this.#tree, this.#names);
  }

  async storeBytes(media: Media, bytes: Uint8Array): Promise<void> {
    this.#requireTaking(media);
    checkBytes(media, bytes);
    const { slots } = this.#store;
    // Taken first, so that there are never more open files than slots.
    if (!slots.tryTake()) await slots.take();
    try {
      const begun = await this.#begin(media);
      if (begun instanceof NewObject) {
        await this.#write(begun, bytes);
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

  async takeStored(media: Media): Promise<boolean> {
    this.#requireTaking(media);
    try {
      this.#store.pause.requireNone();
      const entry = await this.#takeUnlinked(media) ?? await this.#takeNamed(media);
      if (entry !== null) this.#entries.push(entry);
      return entry !== null;
    } catch (error) {
      throw this.#store.note(error);
    }
  }

  async createObject(media: Media): Promise<ObjectWriter> {
    this.#requireTaking(media);
    const { slots } = this.#store;
    const begun = await this.#begin(media);
    if (!(begun instanceof NewObject)) {
      return new CheckingWriter(media, () => this.#entries.push(begun));
    }
    return new FileWriter(this.#store, media, begun, async () => {
      if (!slots.tryTake()) await slots.take();
      this.#sync(media, begun);
    });
  }

  async publish(): Promise<Published> {
    if (this.#published) throw new TypeError("a batch is published once");
    this.#published = true;
    if (this.#unsynced > 0) await new Promise<void>((resolve) => this.#onAllSynced = resolve);
    this.#tree.forget();
    return await publish(this.#store, this.#names, this.#entries);
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
  async #begin(media: Media): Promise<NewObject | Entry> {
    const { pause, space } = this.#store;
    try {
      this.#store.requireSound();
      pause.requireNone();
      const waiting = await this.#takeUnlinked(media);
      if (waiting !== null) return waiting;
      if (!space.couldEverFit(media.size)) throw tooLarge(media, this.#store);
      await space.take(media.size);
      await this.#tree.makeFor(media);
      const begun = await this.#objects.createFor(media);
      return begun instanceof NewObject ? begun : { media, named: begun };
    } catch (error) {
      throw this.#store.note(error);
    }
  }

  /** The entry of a media whose object this process has written already, and could not link. */
  async #takeUnlinked(media: Media): Promise<Entry | null> {
    const { unlinked } = this.#store;
    const waiting = unlinked.size > 0 ? await unlinked.take(media) : null;
    if (waiting === null) return null;
    try {
      await this.#tree.makeFor(media);
    } catch (error) {
      unlinked.remember(media.id, waiting);
      throw error;
    }
    return { media, object: waiting.path };
  }

  /** The entry of a media that an earlier attempt has given its name. */
  async #takeNamed(media: Media): Promise<Entry | null> {
    const named = await this.#objects.findNamed(media);
    return named === null ? null : { media, named };
  }

  /** Meanwhile the heartbeat may ask how much is free: these bytes are still to be counted. */
  async #write(object: NewObject, bytes: Uint8Array): Promise<void> {
    const reservation = this.#store.space.reserve(bytes.length);
    try {
      await object.write(bytes);
    } finally {
      reservation.end();
    }
  }

  /** Lets the fdatasync of a whole object go on by itself; takes over the slot and the open file. */
  #sync(media: Media, object: NewObject): void {
    // In the order in which they came, so that the earlier of two that want one name gets it. Should the
    // fdatasync fail, nothing of this batch is published at all.
    this.#entries.push({ media, object: object.path });
    this.#unsynced += 1;
    void object.syncData().finally(() => {
      object.close();
      this.#store.slots.give();
      this.#unsynced -= 1;
      if (this.#unsynced === 0) this.#onAllSynced();
    });
  }
}

function tooLarge(media: Media, { root, space }: Store): MediaFailureError {
  return new MediaFailureError(
    media.id,
    `its ${media.size} bytes are more than all of ${root} can hold (${space.shown}); ` +
      "enlarge its file system, then `inbox retry`",
  );
}
