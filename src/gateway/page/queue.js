/** The files that are on their way: three at a time, each by itself, so that a bad one does not stop the others. */
import { Refused } from "./api.js";
import { forgetWaiting, keepWaiting, knownFile, rememberFile, waitingOf } from "./keep.js";
import { sendPreviews } from "./previews.js";
import { Row } from "./row.js";
import { upload } from "./upload.js";
import { count, randomUuid } from "./words.js";

const AT_ONCE = 3;
/** Rows that are over and safe are cleared beyond this. */
const MOST_ROWS = 500;

export class Queue {
  #entries = [];
  #running = 0;
  #owner;
  #page;
  #wakeLock = null;

  /** @param page { rows, section, summary, clear, onLoggedOut, onReceived } */
  constructor(owner, page) {
    this.#owner = owner;
    this.#page = page;
    page.clear.onclick = () => this.#clearSafe();
    document.addEventListener("visibilitychange", () => this.#keepAwake());
  }

  get owner() {
    return this.#owner;
  }

  /** Goes on with what was waiting when the page was left. */
  async restore() {
    for (const { key, item, file } of await waitingOf(this.#owner)) {
      this.#enter({ key, item, file, owner: this.#owner, isKnown: false });
    }
    this.#pump();
  }

  /** Goes on after a new log-in. */
  restart() {
    this.#pump();
  }

  add(files) {
    for (const file of files) {
      const known = knownFile(this.#owner, file);
      if (
        this.#entries.some((entry) => entry.item === known?.item && entry.row.kind !== "failed")
      ) {
        continue;
      }
      const entry = {
        owner: this.#owner,
        file,
        key: known?.key ?? randomUuid(),
        item: known?.item ?? randomUuid(),
        isKnown: known !== null,
      };
      rememberFile(this.#owner, file, entry);
      keepWaiting(entry);
      this.#enter(entry);
    }
    this.#pump();
  }

  /** What the archive says of an item. */
  showItem({ item, files }) {
    const entry = this.#entries.find((each) => each.item === item && each.isReceived);
    const file = files.findLast(({ media_type }) => media_type === "content");
    if (entry === undefined || file === undefined) return;
    entry.row.showFile(file);
    this.#summarise();
  }

  #enter(entry) {
    entry.stop = new AbortController();
    entry.row = new Row(entry.file, {
      cancel: () => this.#cancel(entry),
      retry: () => this.#retry(entry),
    });
    this.#entries.push(entry);
    this.#page.rows.append(entry.row.element);
    if (this.#entries.length > MOST_ROWS) this.#clearSafe();
  }

  #pump() {
    for (const entry of this.#entries) {
      if (this.#running >= AT_ONCE) break;
      if (entry.isStarted) continue;
      entry.isStarted = true;
      this.#running += 1;
      this.#run(entry).finally(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
    this.#keepAwake();
    this.#summarise();
  }

  async #run(entry) {
    const { row } = entry;
    try {
      row.showSent(0);
      const existed = await upload(entry, ({ sent, waiting, stored, checking }) => {
        if (waiting !== undefined) row.showPaused(waiting, stored);
        else if (checking !== undefined) row.showChecking(checking);
        else row.showSent(sent);
      }, entry.stop.signal);
      entry.isReceived = true;
      row.show("received", existed ? "Already in the archive" : "Received");
      await forgetWaiting(entry.key);
      this.#page.onReceived(entry.item);
      if (!existed) await this.#addPreviews(entry);
    } catch (error) {
      if (entry.stop.signal.aborted) return;
      if (error instanceof Refused && error.status === 401) {
        entry.isStarted = false;
        row.show("waiting", "Waiting for you to log in");
        this.#page.onLoggedOut();
        return;
      }
      row.show("failed", error.message);
    }
  }

  async #addPreviews(entry) {
    try {
      await sendPreviews(entry);
    } catch {
      // The picture is stored; only its small copies are not, and the archive shows an icon.
    }
  }

  async #cancel(entry) {
    entry.stop.abort(new DOMException("cancelled", "AbortError"));
    await forgetWaiting(entry.key);
    fetch(`/uploads/${entry.key}`, { method: "DELETE" }).catch(() => {});
    this.#remove(entry);
  }

  #retry(entry) {
    entry.stop = new AbortController();
    entry.isStarted = false;
    entry.row.show("waiting", "Waiting for its turn");
    this.#pump();
  }

  #remove(entry) {
    this.#entries = this.#entries.filter((each) => each !== entry);
    const next = entry.row.element.nextElementSibling ?? entry.row.element.previousElementSibling;
    const hadFocus = entry.row.element.contains(document.activeElement);
    entry.row.element.remove();
    // The keyboard's focus does not go back to the top of the page.
    if (hadFocus) next?.querySelector("button:not([hidden])")?.focus();
    this.#summarise();
  }

  #clearSafe() {
    for (const entry of this.#entries.filter(({ row }) => row.kind === "safe")) this.#remove(entry);
  }

  #summarise() {
    const { section, summary, clear } = this.#page;
    const kinds = Map.groupBy(this.#entries, ({ row }) => row.kind);
    const of = (...names) => names.reduce((sum, name) => sum + (kinds.get(name)?.length ?? 0), 0);
    section.hidden = this.#entries.length === 0;
    clear.hidden = of("safe") === 0;
    const parts = [
      [
        of("sending", "paused", "waiting"),
        (n) => `${count(n, "file")} to upload: keep this page open`,
      ],
      [of("received"), (n) => `${n} received, on the way to the storages`],
      [of("safe"), (n) => `${n} safe`],
      [of("failed", "parked"), (n) => `${n} need${n === 1 ? "s" : ""} your attention`],
    ];
    const text = parts.filter(([n]) => n > 0).map(([n, say]) => say(n)).join(" · ");
    // A screen reader reads out every change.
    if (summary.textContent !== text) summary.textContent = text;
  }

  /** A phone that goes to sleep stops uploading; it goes on when it is looked at again. */
  async #keepAwake() {
    const isBusy = this.#running > 0 && document.visibilityState === "visible";
    try {
      if (isBusy && this.#wakeLock === null) {
        this.#wakeLock = await navigator.wakeLock?.request("screen") ?? null;
        this.#wakeLock?.addEventListener("release", () => this.#wakeLock = null);
      } else if (!isBusy) {
        await this.#wakeLock?.release();
      }
    } catch {
      // Saving power, or no TLS: the page says to keep it open anyway.
    }
  }
}
