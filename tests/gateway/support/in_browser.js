/** What tests have a browser do that a page's script could: evaluated in it, as `inBrowser`. */
globalThis.inBrowser = {
  /** A JPEG, red and green above, blue and white below. @returns base64 */
  async makePicture(width, height) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    for (const [i, colour] of ["#f00", "#0f0", "#00f", "#fff"].entries()) {
      context.fillStyle = colour;
      context.fillRect(i % 2 * width / 2, Math.floor(i / 2) * height / 2, width / 2, height / 2);
    }
    return await base64Of(
      await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95)),
    );
  },

  /** A moving picture of half a second. @returns base64 */
  async makeVideo() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 64;
    const context = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm" });
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    const over = new Promise((resolve) => recorder.onstop = resolve);
    recorder.start();
    for (let frame = 0; frame < 15; frame++) {
      context.fillStyle = frame % 2 === 0 ? "#f00" : "#e00";
      context.fillRect(0, 0, 64, 64);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    recorder.stop();
    await over;
    return await base64Of(new Blob(pieces));
  },

  /** What a picture of the archive shows. @returns its size, and its corners: above, then below */
  async look(url) {
    const picture = await createImageBitmap(await (await fetch(url)).blob());
    const { width, height } = picture;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const at = (x, y) => {
      const [red, green, blue] = context.getImageData(x, y, 1, 1).data;
      return red > 128 && green > 128 && blue > 128
        ? "white"
        : red > 128
        ? "red"
        : green > 128
        ? "green"
        : "blue";
    };
    const [right, below] = [width - 4, height - 4];
    return { width, height, corners: [at(3, 3), at(right, 3), at(3, below), at(right, below)] };
  },

  /** @param range as bytes=0-9 @returns base64 */
  async read(url, range) {
    const answer = await fetch(url, range === undefined ? {} : { headers: { range } });
    return `${answer.status} ${await base64Of(await answer.blob())}`;
  },

  /** Chooses a file that repeats one MiB, of which the first four bytes are its own: no disk is needed. */
  addLarge(name, mebibytes) {
    const block = new Blob([new Uint8Array([1, 2, 3, 4]), new Uint8Array(1024 * 1024 - 4)]);
    const transfer = new DataTransfer();
    transfer.items.add(
      new File(Array.from({ length: mebibytes }, () => block), name, {
        lastModified: 1_000_000_000_000,
      }),
    );
    const input = document.querySelector("#files");
    input.files = transfer.files;
    input.dispatchEvent(new Event("change"));
  },

  /** As if the page had been left while files were still being copied. */
  async loseCopies() {
    const database = await new Promise((resolve) => {
      indexedDB.open("omoide").onsuccess = ({ target }) => resolve(target.result);
    });
    const transaction = database.transaction("waiting", "readwrite");
    const store = transaction.objectStore("waiting");
    store.getAll().onsuccess = ({ target }) => {
      for (const entry of target.result) store.put({ ...entry, file: null });
    };
    await new Promise((resolve) => transaction.oncomplete = resolve);
    database.close();
  },

  /** @returns how many files are kept for a reload */
  async countCopies() {
    const database = await new Promise((resolve) => {
      indexedDB.open("omoide").onsuccess = ({ target }) => resolve(target.result);
    });
    const request = database.transaction("waiting").objectStore("waiting").count();
    await new Promise((resolve) => request.onsuccess = resolve);
    database.close();
    return request.result;
  },

  /** Has the button for files find one of that many bytes, with a handle that is a real one. */
  async offerFile(name, size) {
    const directory = await navigator.storage.getDirectory();
    const handle = await directory.getFileHandle(name, { create: true });
    const writable = await handle.createWritable();
    await writable.write(crypto.getRandomValues(new Uint8Array(1000)));
    await writable.truncate(size);
    await writable.close();
    globalThis.showOpenFilePicker = () => Promise.resolve([handle]);
  },

  /** Has the screen's lock counted: those that are held now, and those that were asked for. */
  watchWakeLock() {
    const request = navigator.wakeLock.request.bind(navigator.wakeLock);
    globalThis.wakeLocks = [];
    navigator.wakeLock.request = async (kind) => {
      const lock = await request(kind);
      wakeLocks.push(lock);
      return lock;
    };
  },

  /** What a browser does with a page that is not looked at, or is again. It cannot be had from one without a screen. */
  async setVisible(isVisible) {
    const visibilityState = isVisible ? "visible" : "hidden";
    Object.defineProperty(document, "visibilityState", {
      value: visibilityState,
      configurable: true,
    });
    if (!isVisible) { for (const lock of wakeLocks) await lock.release(); }
    document.dispatchEvent(new Event("visibilitychange"));
  },

  /** Has the user be asked again whether the page may read a file. */
  askAgain() {
    FileSystemHandle.prototype.queryPermission = () => Promise.resolve("prompt");
    FileSystemHandle.prototype.requestPermission = () => Promise.resolve("granted");
  },

  /** @param kind drop or paste */
  bring(kind, name) {
    const transfer = new DataTransfer();
    transfer.items.add(new File([name], name));
    document.body.dispatchEvent(
      kind === "drop"
        ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }),
    );
  },
};

async function base64Of(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return btoa([...bytes].map((byte) => String.fromCharCode(byte)).join(""));
}
