/** Every way in which files come into the page: chosen, a folder, the camera, dropped, pasted. */

/** @param onFiles called with a list of files */
export function listenForFiles(onFiles) {
  for (const button of document.querySelectorAll("[data-picks]")) {
    const input = document.getElementById(button.dataset.picks);
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const files = [...input.files];
      // The same file can be chosen again.
      input.value = "";
      onFiles(files.filter(isWanted));
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
    onFiles((await filesOf(event.dataTransfer)).filter(isWanted));
  });
  addEventListener("paste", ({ clipboardData }) => {
    const files = [...clipboardData?.files ?? []];
    if (files.length > 0) onFiles(files);
  });
}

/** Not what systems leave in folders. */
function isWanted({ name }) {
  return ![".DS_Store", "Thumbs.db", "desktop.ini"].includes(name);
}

/** With those in folders. The entries must be asked for before anything is waited for. */
async function filesOf(dataTransfer) {
  const entries = [...dataTransfer.items].map((item) => item.webkitGetAsEntry?.())
    .filter((entry) => entry !== null && entry !== undefined);
  if (entries.length === 0) return [...dataTransfer.files];
  return (await Promise.all(entries.map(filesBelow))).flat();
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
