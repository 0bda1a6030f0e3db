/**
 * What is not uploaded yet, kept over a reload: the files themselves, in IndexedDB, and which item each
 * file is, so that a file that is added again is the same one. Where the browser keeps nothing (private
 * windows), a reload means choosing the files again; nothing that has come in is lost even then.
 */

const open = new Promise((resolve) => {
  try {
    const request = indexedDB.open("omoide", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("waiting", { keyPath: "key" });
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

/** @param entry key, item, owner, file */
export async function keepWaiting({ key, item, owner, file }) {
  await inStore("readwrite", (store) => store.put({ key, item, owner, file }));
}

export async function forgetWaiting(key) {
  await inStore("readwrite", (store) => store.delete(key));
}

/** What was waiting when the page was left. */
export async function waitingOf(owner) {
  const all = await inStore("readonly", (store) => store.getAll()) ?? [];
  return all.filter((entry) => entry.owner === owner && entry.file instanceof File);
}

const ITEMS = "omoide-items";
const MOST_ITEMS = 5000;

/** A file is the same one while its name, size and date are. */
function markOf(owner, file) {
  return [owner, file.name, file.size, file.lastModified].join("/");
}

function readItems() {
  try {
    return new Map(JSON.parse(localStorage.getItem(ITEMS) ?? "[]"));
  } catch {
    return new Map();
  }
}

export function knownItem(owner, file) {
  return readItems().get(markOf(owner, file)) ?? null;
}

export function rememberItem(owner, file, item) {
  const items = readItems();
  items.set(markOf(owner, file), item);
  try {
    localStorage.setItem(ITEMS, JSON.stringify([...items].slice(-MOST_ITEMS)));
  } catch {
    // Then a file that is added again is sent again.
  }
}
