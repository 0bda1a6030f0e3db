import { problem } from "./problem.ts";

interface Bounds {
  readonly ofOne: number;
  readonly ofAll: number;
}

/** What lasts, counted by owner: one of them cannot take the places of all. */
export class Places {
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** @param what they are, in the plural */
  constructor(private readonly what: string, private readonly bounds: Bounds) {}

  /**
   * @returns a place, which is given back when it is disposed of
   * @throws {Problem} 429 the owner has as many as one may have; 503 there are as many as there may be
   */
  take(ownerUuid: string): Disposable {
    const own = this.#taken.get(ownerUuid) ?? 0;
    if (own >= this.bounds.ofOne) {
      throw problem(
        ...[429, "too-many-at-once", `Too many ${this.what} of yours at this moment`] as const,
        `One owner may have ${this.bounds.ofOne}. End one first.`,
        { "retry-after": "3" },
      );
    }
    if (this.#all >= this.bounds.ofAll) {
      throw problem(
        ...[503, "busy", `Too many ${this.what} at this moment`] as const,
        "Try again in a moment.",
        { "retry-after": "3" },
      );
    }
    this.#all += 1;
    this.#taken.set(ownerUuid, own + 1);
    return { [Symbol.dispose]: () => this.#leave(ownerUuid) };
  }

  #leave(ownerUuid: string): void {
    this.#all -= 1;
    const left = (this.#taken.get(ownerUuid) ?? 1) - 1;
    if (left > 0) this.#taken.set(ownerUuid, left);
    else this.#taken.delete(ownerUuid);
  }
}
