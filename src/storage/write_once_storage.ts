import type { FreeSpace } from "../stored.ts";
import type { Timeline } from "../timeline.ts";
import { Batch } from "./batch.ts";
import type { StorageIdentity, StoreBatch, WriteOnceStorage } from "./storage.ts";
import type { Store } from "./store.ts";
import { Timelines } from "./timelines.ts";

/** What a worker gets of an open storage. `openStorage` makes it. */
export class HeldStorage implements WriteOnceStorage {
  readonly #store: Store;
  #measuring: Promise<FreeSpace> | null = null;
  readonly #timelines: Timelines;

  constructor(store: Store) {
    this.#store = store;
    this.#timelines = new Timelines(store);
  }

  get identity(): StorageIdentity {
    return this.#store.identity;
  }

  get isRemote(): boolean {
    return this.#store.isRemote;
  }

  async hold(alone: boolean): Promise<void> {
    this.#store.requireSound();
    await this.#store.hold(alone);
  }

  async letGo(): Promise<void> {
    await this.#store.letGo();
  }

  async beginBatch(): Promise<StoreBatch> {
    await this.#store.requireIdentity();
    await this.#store.measureSpace();
    return new Batch(this.#store);
  }

  async wouldAccept(size: number): Promise<boolean> {
    await this.#store.requireIdentity();
    await this.#store.measureSpace();
    return await this.#store.noting(() => this.#store.pause.hasPassed(size));
  }

  async freeSpace(): Promise<FreeSpace> {
    this.#store.requireSound();
    // Of a disk that hangs, each unanswered question would keep a thread.
    this.#measuring ??= this.#store.measureSpace().finally(() => this.#measuring = null);
    return await this.#measuring;
  }

  async timelines(): Promise<Timeline[]> {
    return await this.#timelines.noted();
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
