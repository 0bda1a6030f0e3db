/**
 * One file's way into the inbox: opened, sent in parts, gone on with where the gateway says it was,
 * finished with a checksum over all of it.
 */
import { getJson, Refused, send, Unreachable } from "./api.js";
import { bytesOf, Checksum } from "./checksum.js";
import { randomUuid, sleep } from "./words.js";

/**
 * One request's bytes, which the browser itself reads from the file. At the end of each, nothing is on its way
 * until the database has the rest: parts of 8 MiB would cost a fifth of the speed in a fast network.
 */
const PART_BYTES = 32 * 1024 * 1024;
const LONGEST_PAUSE_S = 30;

/**
 * Sends a file until all of it is stored.
 *
 * @param entry key, item, owner, file, onNewKey; the key changes where the upload has to begin again
 * @param report called with { sent } bytes, { waiting } a reason and { stored } bytes, { checking } bytes, or
 *   { summed } bytes of the checksum without which the last part cannot go
 * @returns whether the archive had it already
 */
export async function upload(entry, report, signal) {
  if (await isThere(entry, report, signal)) return true;
  const checksum = await Checksum.of(entry.file);
  let stored = 0;
  for (let failures = 0;;) {
    try {
      const onSent = (sent, isStored) => {
        failures = 0;
        if (isStored) stored = sent;
        report({ sent });
      };
      const onSumming = (summed) => report({ summed });
      return await sendFrom(entry, checksum, { onSent, onSumming }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (
        error instanceof Refused && (error.status === 404 || error.status === 422) && failures < 3
      ) {
        // Expired, or bytes that were not the file's: from the beginning, under another name.
        entry.key = randomUuid();
        entry.onNewKey();
        failures += 1;
        continue;
      }
      const again = pauseAfter(error, failures);
      if (again === null) throw error;
      failures += 1;
      report({
        // The gateway tells a program to try again; here nobody has to.
        waiting: error instanceof Unreachable
          ? "No connection: it goes on by itself"
          : `${error.title}. It goes on by itself when that has passed`,
        stored,
      });
      await untilWorthTrying(again, signal);
    }
  }
}

/** Sends what is small, again and again while that helps. */
export async function untilTaken(send, signal) {
  for (let failures = 0;; failures++) {
    try {
      return await send();
    } catch (error) {
      signal.throwIfAborted();
      const again = pauseAfter(error, failures);
      if (again === null) throw error;
      await untilWorthTrying(again, signal);
    }
  }
}

/** Seconds; null where trying again is no use. */
function pauseAfter(error, failures) {
  if (error instanceof Unreachable) return Math.min(2 ** failures, LONGEST_PAUSE_S);
  if (error instanceof Refused && error.again !== null) {
    return Math.max(error.again, failures > 3 ? 2 : 0);
  }
  return null;
}

/** A pause, cut short when the network comes back. */
async function untilWorthTrying(seconds, signal) {
  const early = new AbortController();
  const wake = () => early.abort();
  addEventListener("online", wake, { once: true });
  try {
    await sleep(
      seconds * 1000 * (0.75 + Math.random() / 2),
      AbortSignal.any([signal, early.signal]),
    );
  } catch (error) {
    if (!early.signal.aborted || signal.aborted) throw error;
  } finally {
    removeEventListener("online", wake);
  }
}

/** Whether the item has these bytes: read here once, they need not be sent again. */
async function isThere({ owner, item, file, isKnown }, report, signal) {
  if (!isKnown) return false;
  let files;
  try {
    files = await getJson(`/media/${owner}/${item}`);
  } catch {
    return false;
  }
  const same = files.filter(({ media_type, size, parked_in }) =>
    media_type === "content" && size === file.size && parked_in.length === 0
  );
  if (same.length === 0) return false;
  const checksum = await Checksum.of(file);
  await checksum.reach(file.size, signal, (checking) => report({ checking }));
  const { hex } = checksum.digest();
  return same.some(({ sha256 }) => sha256 === hex);
}

async function sendFrom({ key, owner, item, file }, checksum, { onSent, onSumming }, signal) {
  const name = `/media/${owner}/${item}/content.${extensionOf(file.name)}`;
  await send("POST", name, {
    signal,
    headers: {
      "idempotency-key": key,
      "upload-complete": "?0",
      "upload-length": String(file.size),
      "content-disposition": `attachment; filename*=UTF-8''${encodeName(file.name)}`,
      "last-modified": new Date(file.lastModified).toUTCString(),
    },
  });
  const found = await send("HEAD", `/uploads/${key}`, { signal });
  let offset = Number(found.header("upload-offset"));
  for (;;) {
    onSent(offset, true);
    const end = Math.min(offset + PART_BYTES, file.size);
    const isLast = end === file.size;
    // After a reload it has yet to read what was sent before. That is said where it takes more than a moment.
    const isBehind = isLast && end - checksum.at > 2 * PART_BYTES;
    const isRead = checksum.reach(end, signal, isBehind ? onSumming : undefined);
    if (isLast) await isRead;
    // One that is finished already has nothing to come.
    const part = file.slice(found.header("upload-complete") === "?1" ? end : offset, end);
    const answer = await sendPart(file, `/uploads/${key}`, {
      signal,
      body: part,
      onSent: (sent) => onSent(offset + Math.min(sent, part.size), false),
      headers: {
        "content-type": "application/partial-upload",
        "upload-offset": String(offset),
        "upload-complete": isLast ? "?1" : "?0",
        ...(isLast ? { "repr-digest": `sha-256=:${checksum.digest().base64}:` } : {}),
      },
    });
    if (isLast) return answer.status === 200;
    offset = Number(answer.header("upload-offset"));
  }
}

/** A file that cannot be read looks like a network that is away. @throws {Changed} it is the file */
async function sendPart(file, path, request) {
  try {
    return await send("PATCH", path, request);
  } catch (error) {
    if (error instanceof Unreachable) await bytesOf(file, 0, Math.min(1, file.size));
    throw error;
  }
}

/** Without the dot: letters and digits, or `bin`. */
export function extensionOf(name) {
  const [, ext] = /\.([A-Za-z0-9]{1,16})$/.exec(name) ?? [];
  return ext === undefined ? "bin" : ext.toLowerCase();
}

function encodeName(name) {
  // Halves of surrogate pairs cannot be encoded, and what RFC 8187 leaves out is encoded too.
  return encodeURIComponent(name.slice(-255).replace(/[\ud800-\udfff]/gu, "_"))
    .replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
