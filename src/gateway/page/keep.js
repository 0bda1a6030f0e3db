/**
 * What is not uploaded yet, kept over a reload, in IndexedDB: which file is which item and upload, and what
 * gives the file itself back. That is a handle where the browser has them; else a copy, if it is small. A
 * telephone has no room for a second copy of a video, and copying it takes longer than people stay: then
 * whoever comes back is asked to choose the file again, and it goes on where it was.
 */

/** Bytes of one file that is copied, and of all copies together. */
const COPIED_BYTES = 256e6;
const ALL_COPIED_BYTES = 1e9;

const open = new Promise((resolve) => {
  try {
    const request = indexedDB.open("omoide", 2);
    request.onupgradeneeded = () => {
      for (const name of request.result.objectStoreNames) request.result.deleteObjectStore(name);
      request.result.createObjectStore("waiting", { keyPath: "item" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  } catch {
    resolve(null);
  }
});

async function inStore(mode, work) {
  const database = await open;
  if (database === null) return null;
  return await new Promise((resolve) => {
    try {
      const transaction = database.transaction("waiting", mode);
      const request = work(transaction.objectStore("waiting"));
      transaction.oncomplete = () => resolve(request.result ?? null);
      transaction.onabort = transaction.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
}

/** Bytes of each item's copy. */
const copied = new Map();

/** @param entry key, item, owner, file, handle (null where there is none) */
export function keepWaiting({ key, item, owner, file, handle }) {
  const { name, size, lastModified } = file;
  const entry = { key, item, owner, name, size, lastModified, file: null, handle };
  const isKept = inStore("readwrite", (store) => store.put(entry));
  copied.delete(item);
  const room = ALL_COPIED_BYTES - [...copied.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (handle !== null || size > Math.min(COPIED_BYTES, room)) return isKept;
  copied.set(item, size);
  // By another transaction: the first is over at once, this one when the bytes are copied.
  return inStore("readwrite", (store) => store.put({ ...entry, file }));
}

/** It begins again under another key. */
export async function keepKey({ item, key }) {
  await inStore("readwrite", (store) => {
    const request = store.get(item);
    request.onsuccess = () => {
      if (request.result !== undefined) store.put({ ...request.result, key });
    };
    return request;
  });
}

export async function forgetWaiting({ item }) {
  copied.delete(item);
  await inStore("readwrite", (store) => store.delete(item));
}

/** What was waiting when the page was left; file and handle are null where there is none. */
export async function waitingOf(owner) {
  const all = await inStore("readonly", (store) => store.getAll()) ?? [];
  for (const { item, file } of all) if (file !== null) copied.set(item, file.size);
  return all.filter((entry) => entry.owner === owner);
}

const FILES = "omoide-files";
const MOST_FILES = 5000;

/** A file is the same one while its name, size and date are. */
function markOf(owner, file) {
  return [owner, file.name, file.size, file.lastModified].join("/");
}

/**
 * The files that were added before, each with the item that it is. Read once and saved once, however many are
 * added together: either takes 5 ms where there are 5,000.
 */
export class KnownFiles {
  #owner;
  #files;

  constructor(owner) {
    this.#owner = owner;
    try {
      this.#files = new Map(JSON.parse(localStorage.getItem(FILES) ?? "[]"));
    } catch {
      this.#files = new Map();
    }
  }

  /** @returns { item, key }; null of a file that is new */
  find(file) {
    return this.#files.get(markOf(this.#owner, file)) ?? null;
  }

  remember(file, { item, key }) {
    const mark = markOf(this.#owner, file);
    // The last that was added is the last to be forgotten.
    this.#files.delete(mark);
    this.#files.set(mark, { item, key });
  }

  save() {
    try {
      localStorage.setItem(FILES, JSON.stringify([...this.#files].slice(-MOST_FILES)));
    } catch {
      // Then a file that is added again is sent again.
    }
  }
}

export function rememberFile(owner, file, entry) {
  const known = new KnownFiles(owner);
  known.remember(file, entry);
  known.save();
}
