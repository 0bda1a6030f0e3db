/**
 * Keeps the screen on while files are under way: a phone that goes to sleep stops uploading. Browsers take
 * the lock away from a page that is not looked at; it is asked for again when it is.
 */
export class Awake {
  #isWanted = false;
  #lock = null;
  /** One after the other: of two requests at once, one lock would never be released. */
  #turn = Promise.resolve();

  constructor() {
    document.addEventListener("visibilitychange", () => this.#settle());
  }

  /** @param isWanted whether anything is under way */
  want(isWanted) {
    this.#isWanted = isWanted;
    this.#settle();
  }

  #settle() {
    // Saving power: the page says to keep it open anyway.
    this.#turn = this.#turn.then(() => this.#change()).catch(() => {});
  }

  async #change() {
    const isDue = this.#isWanted && document.visibilityState === "visible";
    const lock = this.#lock;
    if (isDue && (lock === null || lock.released)) {
      // A page without TLS has none.
      this.#lock = await navigator.wakeLock?.request("screen") ?? null;
    } else if (!isDue && lock !== null) {
      this.#lock = null;
      await lock.release();
    }
  }
}
