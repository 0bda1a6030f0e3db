import type { Item } from "../inbox/application/items.ts";

/**
 * Owners who watch their files travel. The database is asked once a second for each of them, and only while
 * something of theirs is on its way: 200 who see nothing happen cost next to nothing.
 *
 * Rejected: a notification from acknowledge or release. NOTIFY takes one lock for the whole cluster over
 * the commit, so workers would wait for each other and for any session that holds it.
 */
type Ask = (ownerUuid: string, before: OnTheirWay) => Promise<Look>;

/** Items by their UUID, the one that was looked at last standing last. */
export type OnTheirWay = ReadonlyMap<string, Item>;

/** What an owner sees at one moment. */
export interface Look {
  /** The owner's newest items as JSON, by their UUID, and older ones that are on their way. */
  readonly items: ReadonlyMap<string, string>;
  /** All that are known to be on their way, also where they were not looked at this time. */
  readonly onTheirWay: OnTheirWay;
  /** Nothing of them moves: what is stored in the inbox is released or parked. */
  readonly isSettled: boolean;
}

const SECOND_MS = 1000;
/** Another gateway, or another application, may have taken something. */
const SETTLED_MS = 30_000;

export interface Watcher {
  /** Called with what has changed; at first with all that is shown. */
  show(items: readonly string[]): void;
  /** The database cannot be asked; it is tried again. */
  fail(error: unknown): void;
}

export class Watchers {
  readonly #owners = new Map<string, OwnerWatch>();

  constructor(private readonly ask: Ask) {}

  /** @returns what ends it */
  watch(ownerUuid: string, watcher: Watcher): () => void {
    let owner = this.#owners.get(ownerUuid);
    if (owner === undefined) {
      owner = new OwnerWatch((before) => this.ask(ownerUuid, before));
      this.#owners.set(ownerUuid, owner);
    }
    const watched = owner;
    watched.add(watcher);
    return () => {
      if (watched.leave(watcher) && this.#owners.get(ownerUuid) === watched) {
        this.#owners.delete(ownerUuid);
      }
    };
  }

  /** Something of this owner's has been stored in the inbox just now. */
  wake(ownerUuid: string): void {
    this.#owners.get(ownerUuid)?.wake();
  }
}

class OwnerWatch {
  readonly #watchers = new Set<Watcher>();
  #shown = new Map<string, string>();
  #onTheirWay: OnTheirWay = new Map();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  #isWoken = false;

  constructor(private readonly look: (before: OnTheirWay) => Promise<Look>) {}

  add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    if (this.#shown.size > 0) watcher.show([...this.#shown.values()]);
    this.wake();
  }

  /** @returns whether none is left */
  leave(watcher: Watcher): boolean {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return false;
    clearTimeout(this.#timer);
    return true;
  }

  wake(): void {
    if (this.#isAsking) this.#isWoken = true;
    else this.#schedule(0);
  }

  #schedule(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lookOnce(), milliseconds);
  }

  async #lookOnce(): Promise<void> {
    this.#isAsking = true;
    this.#isWoken = false;
    let isSettled = false;
    try {
      const seen = await this.look(this.#onTheirWay);
      const { items, onTheirWay } = seen;
      isSettled = seen.isSettled;
      this.#onTheirWay = onTheirWay;
      const changed = [...items].filter(([key, json]) => this.#shown.get(key) !== json);
      const kept = [...this.#shown].filter(([key]) => onTheirWay.has(key));
      this.#shown = new Map([...kept, ...items]);
      if (changed.length > 0) {
        for (const watcher of this.#watchers) watcher.show(changed.map(([, json]) => json));
      }
    } catch (error) {
      for (const watcher of this.#watchers) watcher.fail(error);
    } finally {
      this.#isAsking = false;
      if (this.#watchers.size > 0) {
        this.#schedule(this.#isWoken ? 0 : isSettled ? SETTLED_MS : SECOND_MS);
      }
    }
  }
}
