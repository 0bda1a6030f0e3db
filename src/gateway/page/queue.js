/** The files that are on their way: three at a time, each by itself, so that a bad one does not stop the others. */
import { Refused, send } from "./api.js";
import { Awake } from "./awake.js";
import { Changed } from "./checksum.js";
import {
  forgetWaiting,
  keepKey,
  keepWaiting,
  KnownFiles,
  rememberFile,
  waitingOf,
} from "./keep.js";
import { chooseFiles } from "./picking.js";
import { sendPreviews } from "./previews.js";
import { Row } from "./row.js";
import { RowList } from "./row_list.js";
import { upload } from "./upload.js";
import { count, randomUuid, showBytes } from "./words.js";

const AT_ONCE = 3;
/** Rows that are over and safe are cleared beyond this. */
const MOST_ROWS = 500;

/** How many bytes of an upload have come in; null: all, and it is finished. */
async function offsetOf(key) {
  try {
    const { header } = await send("HEAD", `/uploads/${key}`);
    return header("upload-complete") === "?1" ? null : Number(header("upload-offset"));
  } catch {
    // It has expired, or cannot be asked for now: what is there shows when it goes on.
    return 0;
  }
}

export class Queue {
  #entries = [];
  #running = 0;
  /** Of those that were added last, so many were here. */
  #skipped = 0;
  #toSay = "";
  #sayTimer = 0;
  #owner;
  #page;
  #rows;
  #awake = new Awake();

  /** @param page { rows, unfold, section, summary, clear, onLoggedOut, onReceived, onCleared } */
  constructor(owner, page) {
    this.#owner = owner;
    this.#page = page;
    this.#rows = new RowList(page.rows, page.unfold);
    page.clear.onclick = () => {
      this.#clearSafe();
      page.onCleared();
    };
  }

  get owner() {
    return this.#owner;
  }

  /** Goes on with what was waiting when the page was left. */
  async restore() {
    for (const kept of await waitingOf(this.#owner)) {
      const entry = { ...kept, isKnown: false, isRestored: true };
      this.#enter(entry);
      if (entry.file === null) this.#findAgain(entry);
    }
    this.#pump();
  }

  /** A file of which there is no copy: by its handle, or by whoever has it. */
  async #findAgain(entry) {
    const { row, handle, key, size } = entry;
    row.show("waiting", "Looking for the file");
    const isAllowed = await handle?.queryPermission({ mode: "read" }) === "granted";
    if (isAllowed && await this.#readAgain(entry)) return;
    const offset = await offsetOf(key);
    if (entry.file !== null || entry.stop.signal.aborted) return;
    if (offset === null) {
      // Only the answer had not come any more.
      this.#received(entry, false);
      await forgetWaiting(entry);
      return;
    }
    if (isAllowed) entry.handle = null;
    const had = offset === 0 ? "" : `${showBytes(offset)} of ${showBytes(size)} have come in. `;
    row.showMissing(
      entry.handle === null
        ? `${had}Choose the file again, and it goes on`
        : `${had}Allow this page to read the file again, and it goes on`,
      size === 0 ? 0 : offset / size,
      entry.handle === null ? "Choose again" : "Allow",
    );
    this.#summarise();
  }

  /** By its handle. @returns whether it is the file that it was */
  async #readAgain(entry) {
    try {
      const file = await entry.handle.getFile();
      if (file.size !== entry.size || file.lastModified !== entry.lastModified) return false;
      this.#goOn(entry, file, entry.handle);
      return true;
    } catch {
      // It was moved or deleted.
      return false;
    }
  }

  #goOn(entry, file, handle) {
    const { name, size, lastModified } = file;
    Object.assign(entry, {
      file,
      handle,
      name,
      size,
      lastModified,
      isKnown: true,
      isStarted: false,
    });
    entry.row.show("waiting", "Waiting for its turn");
    rememberFile(this.#owner, file, entry);
    keepWaiting(entry);
    this.#pump();
  }

  /** Asked for by whoever sees its row. */
  async #find(entry) {
    if (entry.handle === null) return await chooseFiles();
    if (await entry.handle.requestPermission({ mode: "read" }) !== "granted") return;
    if (!await this.#readAgain(entry)) this.#lose(entry, new Changed());
  }

  /** It cannot be read any more; one of its name and size can take its place. */
  #lose(entry, { message }) {
    entry.file = entry.handle = null;
    entry.row.showMissing(message);
    this.#summarise();
  }

  /** Of those whose file is missing. Its date counts least: some phones give a chosen file a new one. */
  #missing({ name, size, lastModified }) {
    const fits = this.#entries.filter((entry) =>
      entry.file === null && !entry.isReceived && entry.name === name && entry.size === size
    );
    return fits.find((entry) => entry.lastModified === lastModified) ?? fits[0];
  }

  /** How many files have not come in. */
  get unfinished() {
    return this.#entries.filter(({ isReceived }) => !isReceived).length;
  }

  /** Ends what is not finished, and has every copy deleted. */
  async forget() {
    for (const { stop } of this.#entries) stop.abort(new DOMException("logged out", "AbortError"));
    await Promise.all((await waitingOf(this.#owner)).map(forgetWaiting));
  }

  /** Goes on after a new log-in. */
  restart() {
    this.#pump();
  }

  /** @param files { file, handle } */
  add(files) {
    const knownFiles = new KnownFiles(this.#owner);
    this.#skipped = 0;
    for (const { file, handle } of files) {
      const missing = this.#missing(file);
      if (missing !== undefined) {
        this.#goOn(missing, file, handle);
        knownFiles.remember(file, missing);
        continue;
      }
      const known = knownFiles.find(file);
      const same = this.#entries.find((entry) => entry.item === known?.item);
      if (same !== undefined) {
        if (same.row.kind === "failed") this.#retry(same);
        else this.#skipped += 1;
        continue;
      }
      const entry = {
        owner: this.#owner,
        name: file.name,
        size: file.size,
        lastModified: file.lastModified,
        file,
        handle,
        key: known?.key ?? randomUuid(),
        item: known?.item ?? randomUuid(),
        isKnown: known !== null,
      };
      knownFiles.remember(file, entry);
      keepWaiting(entry);
      this.#enter(entry);
    }
    knownFiles.save();
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
    entry.onNewKey = () => {
      keepKey(entry);
      rememberFile(this.#owner, entry.file, entry);
    };
    entry.row = new Row(entry, {
      cancel: () => this.#cancel(entry),
      find: () => this.#find(entry),
      retry: () => this.#retry(entry),
    });
    this.#entries.push(entry);
    this.#rows.add(entry.row);
    if (this.#entries.length > MOST_ROWS) this.#clearSafe();
  }

  #pump() {
    for (const entry of this.#entries) {
      if (this.#running >= AT_ONCE) break;
      if (entry.isStarted || entry.file === null) continue;
      entry.isStarted = true;
      this.#running += 1;
      this.#run(entry).finally(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
    this.#awake.want(this.#running > 0);
    this.#summarise();
  }

  async #run(entry) {
    const { row } = entry;
    try {
      row.showStarting();
      const existed = await upload(entry, ({ sent, waiting, stored, checking, summed }) => {
        if (waiting !== undefined) row.showPaused(waiting, stored);
        else if (checking !== undefined) row.showChecking(checking);
        else if (summed !== undefined) row.showSummed(summed);
        else row.showSent(sent);
      }, entry.stop.signal);
      this.#received(entry, existed);
      // Before a reload there may have been no time for them.
      if (!existed || entry.isRestored) await this.#addPreviews(entry);
      await forgetWaiting(entry);
    } catch (error) {
      if (entry.stop.signal.aborted) return;
      if (error instanceof Refused && error.status === 401) {
        entry.isStarted = false;
        row.show("waiting", "Waiting for you to log in");
        this.#page.onLoggedOut();
        return;
      }
      if (error instanceof Changed) this.#lose(entry, error);
      else row.show("failed", error.message);
    }
  }

  #received(entry, existed) {
    entry.isReceived = true;
    entry.row.show("received", existed ? "Already in the archive" : "Received");
    this.#page.onReceived(entry.item);
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
    // At once: a key that is hit twice cancels one.
    this.#remove(entry);
    fetch(`/uploads/${entry.key}`, { method: "DELETE" }).catch(() => {});
    await forgetWaiting(entry);
  }

  #retry(entry) {
    entry.stop = new AbortController();
    entry.isStarted = false;
    entry.row.show("waiting", "Waiting for its turn");
    this.#pump();
  }

  #remove(entry) {
    this.#entries = this.#entries.filter((each) => each !== entry);
    this.#rows.remove(entry.row);
    this.#summarise();
  }

  #clearSafe() {
    for (const entry of this.#entries.filter(({ row }) => row.kind === "safe")) this.#remove(entry);
  }

  #summarise() {
    const { section, clear } = this.#page;
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
      [of("missing"), (n) => `${count(n, "file")} to be chosen again`],
      [this.#skipped, (n) => `${count(n, "file")} of these on the list already`],
      [of("failed", "parked"), (n) => `${n} need${n === 1 ? "s" : ""} your attention`],
    ];
    const text = parts.filter(([n]) => n > 0).map(([n, say]) => say(n)).join(" · ");
    this.#say(text);
  }

  /** A screen reader reads out every change: once a second is enough. */
  #say(text) {
    const { summary } = this.#page;
    this.#toSay = text;
    if (this.#sayTimer !== 0) return;
    if (summary.textContent !== text) summary.textContent = text;
    this.#sayTimer = setTimeout(() => {
      this.#sayTimer = 0;
      if (summary.textContent !== this.#toSay) this.#say(this.#toSay);
    }, 1000);
  }
}
