import type { FreeSpace } from "../stored.ts";
import type { Timeline } from "../timeline.ts";
import { Batch } from "./batch.ts";
import type { StorageIdentity, StoreBatch, WriteOnceStorage } from "./storage.ts";
import type { Store } from "./store.ts";
import { Timelines } from "./timelines.ts";

/** What a worker gets of an open, locked storage. `openStorage` makes it. */
export class HeldStorage implements WriteOnceStorage {
  readonly #store: Store;
  readonly #timelines: Timelines;

  constructor(store: Store) {
    this.#store = store;
    this.#timelines = new Timelines(store);
  }

  get identity(): StorageIdentity {
    return this.#store.identity;
  }

  // deno-lint-ignore require-await -- an error is a rejection, whenever it is met
  async beginBatch(): Promise<StoreBatch> {
    this.#store.requireIdentity();
    this.#store.measureSpace();
    return new Batch(this.#store);
  }

  // deno-lint-ignore require-await -- as above
  async wouldAccept(size: number): Promise<boolean> {
    this.#store.requireIdentity();
    this.#store.measureSpace();
    return this.#store.noting(() => this.#store.pause.hasPassed(size));
  }

  // deno-lint-ignore require-await -- as above
  async freeSpace(): Promise<FreeSpace> {
    this.#store.requireSound();
    return this.#store.measureSpace();
  }

  timelines(): Timeline[] {
    return this.#timelines.noted();
  }

  async enterTimeline(timeline: Timeline): Promise<void> {
    await this.#timelines.enter(timeline);
  }

  stillForMs(): number {
    return this.#store.slots.stillForMs();
  }

  close(): void {
    this.#store.close();
  }
}
