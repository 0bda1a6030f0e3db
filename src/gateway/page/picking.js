/** Every way in which files come into the page: chosen, a folder, the camera, dropped, pasted. */

let chosen = () => {};

/** @param onFiles called with a list of { file, handle }: the handle, where there is one, gives it again later */
export function listenForFiles(onFiles) {
  chosen = (files) => onFiles(files.filter(({ file }) => isWanted(file)));
  for (const button of document.querySelectorAll("[data-picks]")) {
    const input = document.getElementById(button.dataset.picks);
    button.addEventListener("click", input.id === "files" ? chooseFiles : () => input.click());
    input.addEventListener("change", () => {
      const files = [...input.files];
      // The same file can be chosen again.
      input.value = "";
      chosen(files.map(withoutHandle));
    });
  }
  let depth = 0;
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = () => document.body.classList.toggle("dropping", depth > 0);
  addEventListener("dragenter", (event) => {
    if (!isFiles(event)) return;
    depth += 1;
    mark();
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    mark();
  });
  addEventListener("dragover", (event) => {
    if (isFiles(event)) event.preventDefault();
  });
  addEventListener("drop", async (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    depth = 0;
    mark();
    chosen(await filesOf(event.dataTransfer));
  });
  addEventListener("paste", ({ clipboardData }) => {
    const files = [...clipboardData?.files ?? []];
    if (files.length > 0) onFiles(files.map(withoutHandle));
  });
}

/** Has files chosen, by whatever gives handles where there is that. Called for a click or a key. */
export async function chooseFiles() {
  // Of a telephone this would show folders; what it shows for an input are its pictures and videos.
  if (globalThis.showOpenFilePicker === undefined || matchMedia("(pointer: coarse)").matches) {
    document.getElementById("files").click();
    return;
  }
  try {
    const handles = await showOpenFilePicker({ multiple: true });
    chosen(await Promise.all(handles.map(withHandle)));
  } catch (error) {
    // Nothing was chosen.
    if (error.name !== "AbortError") throw error;
  }
}

const withoutHandle = (file) => ({ file, handle: null });
const withHandle = async (handle) => ({ file: await handle.getFile(), handle });

/** Not what systems leave in folders. */
function isWanted({ name }) {
  return ![".DS_Store", "Thumbs.db", "desktop.ini"].includes(name);
}

/** With those in folders. Entries and handles must be asked for before anything is waited for. */
async function filesOf({ items, files }) {
  const found = [...items].map((item) => ({
    entry: item.webkitGetAsEntry?.() ?? null,
    handle: item.getAsFileSystemHandle?.() ?? null,
  })).filter(({ entry }) => entry !== null);
  if (found.length === 0) return [...files].map(withoutHandle);
  return (await Promise.all(found.map(async ({ entry, handle }) => {
    if (entry.isFile && handle !== null) {
      // What comes from another program has an entry and no handle.
      const known = await handle.catch(() => null);
      if (known !== null) return [await withHandle(known)];
    }
    return (await filesBelow(entry)).map(withoutHandle);
  }))).flat();
}

async function filesBelow(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  // A hundred at a time.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesBelow))).flat();
}
