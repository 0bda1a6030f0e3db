/**
 * What is not uploaded yet, kept over a reload: the files themselves, in IndexedDB, and which item and upload
 * each file is, so that a file that is added again goes on where it was. That is what a reload asks of
 * people if the browser has not kept the file: in a private window, or while it still copies some gigabytes.
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

const FILES = "omoide-files";
const MOST_FILES = 5000;

/** A file is the same one while its name, size and date are. */
function markOf(owner, file) {
  return [owner, file.name, file.size, file.lastModified].join("/");
}

function readFiles() {
  try {
    return new Map(JSON.parse(localStorage.getItem(FILES) ?? "[]"));
  } catch {
    return new Map();
  }
}

/** @returns { item, key } of a file that was added before; null of any other */
export function knownFile(owner, file) {
  return readFiles().get(markOf(owner, file)) ?? null;
}

export function rememberFile(owner, file, { item, key }) {
  const files = readFiles();
  files.set(markOf(owner, file), { item, key });
  try {
    localStorage.setItem(FILES, JSON.stringify([...files].slice(-MOST_FILES)));
  } catch {
    // Then a file that is added again is sent again.
  }
}
